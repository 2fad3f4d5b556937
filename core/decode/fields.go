package decode

import (
	"bytes"
	"maps"
	"slices"

	"github.com/trailship/trailship/core/event/rawjson"
)

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

// fieldNames are the members we know: of trail records, then of envelopes.
var fieldNames = map[string]field{
	"eventID": fEventID, "eventId": fEventID, "eventTime": fEventTime, "eventVersion": fEventVersion,
	"eventSource": fEventSource, "eventName": fEventName, "eventType": fEventType, "eventCategory": fEventCategory,
	"eventRW": fEventRW, "awsRegion": fRegion, "acsRegion": fACSRegion,
	"sourceIPAddress": fSourceIP, "sourceIpAddress": fSourceIP, "userAgent": fUserAgent,
	"errorCode": fErrorCode, "errorMessage": fErrorMessage,
	"requestParameters": fRequest, "requestParameterJson": fRequestText, "responseElements": fResponse,
	"requestID": fRequestID, "requestId": fRequestID, "userIdentity": fIdentity, "recipientAccountId": fRecipient,
	"sharedEventID": fSharedID, "sharedEventId": fSharedID, "vpcEndpointId": fVPCEndpoint, "vpcId": fVPC,
	"apiVersion": fAPIVersion, "resources": fResources, "referencedResources": fReferenced,
	"resourceType": fResourceType, "resourceName": fResourceName, "readOnly": fReadOnly, "managementEvent": fManagement,
	"additionalEventData": fAdditional, "serviceEventDetails": fServiceDetails, "insightDetails": fInsight,
	"serviceName": fServiceName,

	// Without a field, and yet in so many records that it pays to expect them.
	"tlsDetails": fNone, "sessionCredentialFromConsole": fNone, "edgeDeviceDetails": fNone, "addendum": fNone,

	"CloudTrailEvent": fCloudTrailEvent, "detail": fDetail, "detail-type": fDetailType, "event": fEvent, "data": fData,
	"message": fMessage, "source": fSource, "specversion": fSpecVersion, "awslogs": fAWSLogs, "messageType": fMessageType,
}

// dictionary numbers the names of fieldNames, and fieldNumbered are their
// fields.
var dictionary, fieldNumbered = func() (*rawjson.Dictionary, [256]field) {
	names := slices.Sorted(maps.Keys(fieldNames))
	var numbered [256]field
	for i, name := range names {
		numbered[i+1] = fieldNames[name]
	}
	return rawjson.NewDictionary(names...), numbered
}()

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
