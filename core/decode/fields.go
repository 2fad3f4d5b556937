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

	"CloudTrailEvent": fCloudTrailEvent, "detail": fDetail, "detail-type": fDetailType, "event": fEvent, "data": fData,
	"message": fMessage, "source": fSource, "specversion": fSpecVersion, "awslogs": fAWSLogs, "messageType": fMessageType,
}

// fieldTable finds a field by the length of its name and three of its bytes:
// most members of a record are looked up, and hashing all of a name costs more
// than comparing it.
var fieldTable = func() (table [fieldSlots]struct {
	name  string
	field field
}) {
	for name, f := range fieldNames {
		i := fieldSlot([]byte(name))
		for table[i].name != "" {
			i = (i + 1) % fieldSlots
		}
		table[i].name, table[i].field = name, f
	}
	return table
}()

const fieldSlots = 512

func fieldSlot(name []byte) uint {
	n := uint(len(name))
	return (n*31 + uint(name[0])*7 + uint(name[n/2])*61 + uint(name[n-1])*13) % fieldSlots
}

// fieldOf knows a member by its name.
func fieldOf(name []byte) field {
	if len(name) == 0 {
		return fNone
	}
	for i := fieldSlot(name); fieldTable[i].name != ""; i = (i + 1) % fieldSlots {
		if fieldTable[i].name == string(name) {
			return fieldTable[i].field
		}
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
