package main

import (
	"fmt"
	"slices"
	"strings"
)

// field is something of a record that a condition looks at.
type field struct {
	name string   // in our vocabulary
	path []string // in the record
	// word turns a value of the record into ours; nil when they are the same.
	word func(string) string
}

var (
	action    = &field{name: "action", path: []string{"eventName"}}
	service   = &field{name: "service", path: []string{"eventSource"}, word: func(s string) string { return strings.TrimSuffix(s, ".amazonaws.com") }}
	region    = &field{name: "region", path: []string{"awsRegion"}}
	ip        = &field{name: "ip", path: []string{"sourceIPAddress"}}
	agent     = &field{name: "user_agent", path: []string{"userAgent"}}
	failure   = &field{name: "error.code", path: []string{"errorCode"}}
	account   = &field{name: "account", path: []string{"recipientAccountId"}}
	identity  = &field{name: "principal.type", path: []string{"userIdentity", "type"}, word: func(s string) string { return identities[s] }}
	principal = &field{name: "principal.arn", path: []string{"userIdentity", "arn"}}

	// fields are all of them, in the order the peers declare them.
	fields = []*field{action, service, region, ip, agent, failure, account, identity, principal}

	identities = map[string]string{"Root": "root", "IAMUser": "user", "AssumedRole": "role", "AWSService": "service"}
)

// variable is the field's name where a dot would mean something.
func (f *field) variable() string { return strings.ReplaceAll(f.name, ".", "_") }

// test compares a field with values of the record. op is one of == != in
// "not in" startsWith contains; a field that is absent is the empty text.
type test struct {
	*field
	op     string
	values []string
}

func is(f *field, op string, values ...string) test { return test{f, op, values} }

// condition holds when all its tests hold.
type condition []test

// basic match about one record of fifty.
var basic = []condition{
	{is(action, "==", "ScheduleKeyDeletion"), is(service, "==", "kms.amazonaws.com")},
	{is(action, "in", "CreateAccessKey", "CreateUser", "AttachUserPolicy"), is(identity, "!=", "AWSService")},
	{is(failure, "in", "AccessDenied", "Client.UnauthorizedOperation"), is(ip, "startsWith", "203.0.113."), is(region, "not in", "us-east-1", "us-west-2")},
	{is(action, "==", "ConsoleLogin"), is(identity, "==", "Root")},
	{is(service, "==", "ec2.amazonaws.com"), is(action, "in", "AuthorizeSecurityGroupIngress", "TerminateInstances", "ModifyInstanceAttribute"), is(failure, "==", "")},
	{is(agent, "contains", "Terraform"), is(service, "==", "kms.amazonaws.com"), is(action, "not in", "Decrypt", "GenerateDataKey", "Encrypt")},
	{is(principal, "contains", ":user/legacy-sync"), is(action, "!=", "Decrypt"), is(region, "==", "eu-west-1")},
	{is(action, "startsWith", "UpdateS"), is(account, "!=", "111122223333"), is(identity, "==", "AssumedRole")},
	{is(principal, "startsWith", "arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_"), is(service, "in", "iam.amazonaws.com", "organizations.amazonaws.com")},
	{is(service, "in", "guardduty.amazonaws.com", "config.amazonaws.com", "securityhub.amazonaws.com"), is(action, "in", "PutEvaluations", "UpdateFindingsFeedback", "BatchImportFindings"), is(agent, "contains", "Boto3")},
}

// conditions are n of them: the basic ones, and then such as watch for what
// does not happen in the trails. Each has a test of equality, of a beginning
// or of a part that an event must pass, so that an index can leave it out.
func conditions(n int) []condition {
	all := slices.Clone(basic[:min(n, len(basic))])
	for i := len(all); i < n; i++ {
		all = append(all, idle(i))
	}
	return all
}

func idle(i int) condition {
	number := fmt.Sprintf("%05d", i)
	switch i % 9 {
	case 0:
		return condition{is(action, "in", "AssumeRole", "GetObject", "Decrypt"), is(principal, "==", "arn:aws:iam::111122223333:user/nobody-"+number)}
	case 1:
		return condition{is(ip, "startsWith", fmt.Sprintf("198.18.%d.%d", i/256, i%256)), is(failure, "!=", "")}
	case 2:
		return condition{is(service, "==", "ec2.amazonaws.com"), is(action, "==", "DeleteThing"+number), is(identity, "!=", "AWSService")}
	case 3:
		return condition{is(agent, "contains", "scanner/"+number), is(failure, "in", "AccessDenied", "Client.UnauthorizedOperation")}
	case 4:
		return condition{is(action, "in", "PutThing"+number, "DropThing"+number, "SwapThing"+number), is(region, "not in", "us-east-1", "eu-west-1")}
	case 5:
		return condition{is(account, "==", "9000000"+number), is(service, "!=", "kms.amazonaws.com")}
	case 6:
		return condition{is(principal, "startsWith", "arn:aws:iam::9000000"+number+":"), is(identity, "==", "IAMUser")}
	case 7:
		return condition{is(action, "startsWith", "Purge"+number), is(account, "not in", "111122223333", "444455556666")}
	}
	return condition{is(failure, "in", "Quota"+number, "Limit"+number), is(service, "in", "s3.amazonaws.com", "sts.amazonaws.com", "iam.amazonaws.com")}
}
