package decode

import "testing"

// TestDeniedIsNotFailed: a code says that the caller may not, or that the call
// went wrong, in either cloud's words.
func TestDeniedIsNotFailed(t *testing.T) {
	for code, denied := range map[string]bool{
		"AccessDenied":                        true,
		"AccessDeniedException":               true,
		"UnauthorizedOperation":               true,
		"Client.UnauthorizedOperation":        true,
		"VpceAccessDenied":                    true,
		"AuthorizationError":                  true,
		"NotAuthorized":                       true,
		"Forbidden":                           true,
		"Forbidden.RAM":                       true,
		"Forbidden.NoPermission":              true,
		"NoPermission.VPC":                    true,
		"AccessForbidden":                     true,
		"InvalidAccessKeyId.NotFound":         true,
		"InvalidSecurityToken.Expired":        true,
		"InvalidAuthorization":                true,
		"SignatureDoesNotMatch":               true,
		"":                                    false,
		"ThrottlingException":                 false,
		"NotFoundException":                   false,
		"DisabledException":                   false,
		"KMSInvalidStateException":            false,
		"NoSuchBucket":                        false,
		"InvalidParameter":                    false,
		"MalformedPolicyDocumentException":    false,
		"Rejected.Disabled":                   false,
		"EntityNotExist.Role":                 false,
		"IncompleteSignature":                 false,
		"ServiceUnavailable":                  false,
		"Client.InvalidInstanceID.NotFound":   false,
		"DependencyTimeoutException":          false,
		"InvalidCiphertextException":          false,
		"Client.DryRunOperation":              false,
		"UnsupportedOperationException":       false,
		"LimitExceededException":              false,
		"Client.RequestLimitExceeded":         false,
		"AlreadyExistsException":              false,
		"ResourceInUse":                       false,
		"InternalFailure":                     false,
		"ConditionalCheckFailedException":     false,
		"TrailNotFoundException":              false,
		"InvalidEventSelectorsException":      false,
		"InsufficientS3BucketPolicyException": false,
	} {
		if got := isDenied(code); got != denied {
			t.Errorf("%q: denied is %v, want %v", code, got, denied)
		}
	}
}
