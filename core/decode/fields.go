package decode

import "bytes"

// field is a top-level member we know, of whichever format.
type field uint8

const (
	fNone field = iota
	fEventID
	fEventTime
	fEventVersion
	fEventSource
	fEventName
	fEventType
	fEventCategory
	fEventRW
	fRegion    // awsRegion
	fACSRegion // acsRegion
	fSourceIP
	fUserAgent
	fErrorCode
	fErrorMessage
	fRequest
	fRequestText // requestParameterJson
	fResponse
	fRequestID
	fIdentity
	fRecipient
	fSharedID
	fVPCEndpoint
	fVPC
	fAPIVersion
	fResources
	fReferenced
	fResourceType
	fResourceName
	fReadOnly
	fManagement
	fAdditional
	fServiceDetails
	fInsight
	fServiceName
	numTrailFields

	// Members of envelopes.
	fCloudTrailEvent field = iota - 1
	fDetail
	fDetailType
	fEvent
	fData
	fMessage
	fSource
	fSpecVersion
	fAWSLogs
	fMessageType
	numFields
)

// fieldOf knows a member by its name.
func fieldOf(name string) field {
	switch name {
	case "eventID", "eventId":
		return fEventID
	case "eventTime":
		return fEventTime
	case "eventVersion":
		return fEventVersion
	case "eventSource":
		return fEventSource
	case "eventName":
		return fEventName
	case "eventType":
		return fEventType
	case "eventCategory":
		return fEventCategory
	case "eventRW":
		return fEventRW
	case "awsRegion":
		return fRegion
	case "acsRegion":
		return fACSRegion
	case "sourceIPAddress", "sourceIpAddress":
		return fSourceIP
	case "userAgent":
		return fUserAgent
	case "errorCode":
		return fErrorCode
	case "errorMessage":
		return fErrorMessage
	case "requestParameters":
		return fRequest
	case "requestParameterJson":
		return fRequestText
	case "responseElements":
		return fResponse
	case "requestID", "requestId":
		return fRequestID
	case "userIdentity":
		return fIdentity
	case "recipientAccountId":
		return fRecipient
	case "sharedEventID", "sharedEventId":
		return fSharedID
	case "vpcEndpointId":
		return fVPCEndpoint
	case "vpcId":
		return fVPC
	case "apiVersion":
		return fAPIVersion
	case "resources":
		return fResources
	case "referencedResources":
		return fReferenced
	case "resourceType":
		return fResourceType
	case "resourceName":
		return fResourceName
	case "readOnly":
		return fReadOnly
	case "managementEvent":
		return fManagement
	case "additionalEventData":
		return fAdditional
	case "serviceEventDetails":
		return fServiceDetails
	case "insightDetails":
		return fInsight
	case "serviceName":
		return fServiceName
	}
	return fNone
}

// envelopeFieldOf knows the members of envelopes.
func envelopeFieldOf(name string) field {
	switch name {
	case "CloudTrailEvent":
		return fCloudTrailEvent
	case "detail":
		return fDetail
	case "detail-type":
		return fDetailType
	case "event":
		return fEvent
	case "data":
		return fData
	case "message":
		return fMessage
	case "source":
		return fSource
	case "specversion":
		return fSpecVersion
	case "awslogs":
		return fAWSLogs
	case "messageType":
		return fMessageType
	}
	return fNone
}

// lowerFirst returns name with its first letter in lower case: some ActionTrail
// exports write EventName and UserIdentity.AccountId. The result lies in buf
// or is name itself.
func lowerFirst(buf *[32]byte, name []byte) []byte {
	if len(name) == 0 || len(name) > len(buf) || name[0] < 'A' || name[0] > 'Z' {
		return name
	}
	n := copy(buf[:], name)
	buf[0] |= 0x20
	return buf[:n]
}

func escaped(name []byte) bool { return bytes.IndexByte(name, '\\') >= 0 }
