package trails

// cloudTrailCalls is what goes on in an AWS account: mostly reading, mostly by
// machines. The weights are per mille, roughly.
var cloudTrailCalls = newCalls(append(cornerCalls(),
	// Keys.
	call{weight: 130, service: "kms", name: "Decrypt", read: true, request: tmpl(`{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>"},"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`), resources: kmsKeyResource},
	call{weight: 40, service: "kms", name: "Decrypt", by: "AWSService", read: true, request: tmpl(`{"encryptionContext":{"PARAMETER_ARN":"arn:aws:ssm:<region>:<account>:parameter<parameter>"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`), resources: kmsKeyResource},
	call{weight: 60, service: "kms", name: "GenerateDataKey", by: "AWSService", read: true, request: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","keySpec":"AES_256","encryptionContext":{"aws:cloudtrail:arn":"arn:aws:cloudtrail:<region>:<account>:trail/acme","aws:s3:arn":"arn:aws:s3:::<bucket>/AWSLogs/<account>/CloudTrail/<region>"}}`), resources: kmsKeyResource},
	call{weight: 25, service: "kms", name: "GenerateDataKey", read: true, request: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","numberOfBytes":32,"encryptionContext":{"tenant":"<workload>"}}`), resources: kmsKeyResource},
	call{weight: 6, service: "kms", name: "Encrypt", read: true, request: tmpl(`{"keyId":"alias/<workload>","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`), resources: kmsKeyResource},
	call{weight: 8, service: "kms", name: "DescribeKey", read: true, request: tmpl(`{"keyId":"<kmskey>"}`), resources: kmsKeyResource},
	call{weight: 3, service: "kms", name: "ListAliases", read: true, request: tmpl(`{"limit":100}`)},
	call{weight: 2, service: "kms", name: "CreateGrant", request: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>","granteePrincipal":"arn:aws:iam::<account>:role/<workload>-role","operations":["Decrypt","GenerateDataKeyWithoutPlaintext","CreateGrant"],"constraints":{"encryptionContextSubset":{"aws:ebs:id":"<volume>"}}}`), response: tmpl(`{"grantId":"<secret>","keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>"}`), resources: kmsKeyResource},
	call{weight: 1, service: "kms", name: "RotateKey", kind: "service", by: "Internal", response: tmpl(`{"keyId":"arn:aws:kms:<region>:<account>:key/<kmskey>"}`), resources: kmsKeyResource},

	// Objects: data events.
	call{weight: 110, service: "s3", name: "GetObject", kind: "data", read: true, request: tmpl(`{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<prefix>/part-<number>.parquet"}`), resources: objectResource, extra: tmpl(`{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"SSEApplied":"SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"<secret><secret>=","bytesTransferredOut":<size>}`)},
	call{weight: 35, service: "s3", name: "PutObject", kind: "data", request: tmpl(`{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<prefix>/part-<number>.parquet","x-amz-server-side-encryption":"aws:kms"}`), response: tmpl(`{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:<region>:<account>:key/<kmskey>"}`), resources: objectResource, extra: tmpl(`{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<size>,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<secret><secret>=","bytesTransferredOut":0}`)},
	call{weight: 20, service: "lambda", name: "Invoke", kind: "data", request: tmpl(`{"functionName":"arn:aws:lambda:<region>:<account>:function:<function>","invocationType":"Event","sourceArn":"arn:aws:s3:::<bucket>"}`), resources: tmpl(`[{"accountId":"<account>","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:<region>:<account>:function:<function>"}]`), extra: tmpl(`{"functionVersion":"arn:aws:lambda:<region>:<account>:function:<function>:$LATEST"}`)},
	call{weight: 4, service: "s3", name: "GetObject", kind: "network", read: true, request: tmpl(`{"bucketName":"<bucket>","key":"<prefix>/part-<number>.parquet"}`)},

	// Sessions and people.
	call{weight: 80, service: "sts", name: "AssumeRole", by: "AWSService", read: true, request: tmpl(`{"roleArn":"arn:aws:iam::<account>:role/<workload>-role","roleSessionName":"<instance>"}`), response: tmpl(`{"credentials":{"accessKeyId":"<key>","sessionToken":"<secret><secret>","expiration":"<until>"}}`), resources: tmpl(`[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<account>:role/<workload>-role"}]`)},
	call{weight: 25, service: "sts", name: "GetCallerIdentity", read: true},
	call{weight: 4, service: "signin", name: "ConsoleLogin", kind: "signin", by: "IAMUser", response: tmpl(`{"ConsoleLogin":"Success"}`), extra: tmpl(`{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgsFromTB_<region>","MobileVersion":"No","MFAUsed":"Yes","MFAIdentifier":"arn:aws:iam::<account>:mfa/<name>"}`)},
	call{weight: 1, service: "signin", name: "ConsoleLogin", kind: "signin", by: "Root", response: tmpl(`{"ConsoleLogin":"Success"}`), extra: tmpl(`{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"Yes"}`)},
	call{weight: 12, service: "iam", name: "GetRole", read: true, request: tmpl(`{"roleName":"<workload>-role"}`)},
	call{weight: 5, service: "iam", name: "ListAttachedRolePolicies", read: true, request: tmpl(`{"roleName":"<workload>-role"}`)},
	call{weight: 1, service: "iam", name: "CreateAccessKey", request: tmpl(`{"userName":"<workload>"}`), response: tmpl(`{"accessKey":{"userName":"<workload>","accessKeyId":"<key>","status":"Active","createDate":"<time>"}}`)},

	// Machines.
	call{weight: 70, service: "ec2", name: "DescribeInstances", read: true, request: tmpl(`{"instancesSet":{},"filterSet":{"items":[{"name":"tag:Service","valueSet":{"items":[{"value":"<workload>"}]}},{"name":"instance-state-name","valueSet":{"items":[{"value":"running"}]}}]}}`)},
	call{weight: 30, service: "ec2", name: "DescribeNetworkInterfaces", read: true, request: tmpl(`{"networkInterfaceIdSet":{"items":[{"networkInterfaceId":"<eni>"}]},"filterSet":{}}`)},
	call{weight: 25, service: "ec2", name: "DescribeSecurityGroups", read: true, request: tmpl(`{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"<sg>"}]},"filterSet":{}}`)},
	call{weight: 20, service: "ec2", name: "DescribeVolumes", read: true, request: tmpl(`{"maxResults":500,"volumeSet":{"items":[{"volumeId":"<volume>"}]},"filterSet":{}}`)},
	call{weight: 5, service: "ec2", name: "CreateTags", request: tmpl(`{"resourcesSet":{"items":[{"resourceId":"<instance>"}]},"tagSet":{"items":[{"key":"Owner","value":"Zo\u00eb \"<workload>\" \u2014 <name>"}]}}`), response: tmpl(`{"requestId":"<uuid>","_return":true}`)},
	call{weight: 3, service: "ec2", name: "RunInstances", request: tmpl(`{"instancesSet":{"items":[{"imageId":"ami-0<hex>","minCount":1,"maxCount":1}]},"instanceType":"m7g.large","blockDeviceMapping":{},"subnetId":"<subnet>","groupSet":{"items":[{"groupId":"<sg>"}]},"monitoring":{"enabled":false},"disableApiTermination":false}`), response: tmpl(`{"requestId":"<uuid>","reservationId":"r-<hex>","ownerId":"<account>","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-<hex>","imageId":"ami-0<hex>","instanceState":{"code":0,"name":"pending"},"instanceType":"m7g.large","subnetId":"<subnet>","vpcId":"<vpc>","privateIpAddress":"10.20.<digit>.<digit>"}]}}`)},
	call{weight: 2, service: "ec2", name: "TerminateInstances", by: "AWSService", request: tmpl(`{"instancesSet":{"items":[{"instanceId":"<instance>"}]}}`), response: tmpl(`{"requestId":"<uuid>","instancesSet":{"items":[{"instanceId":"<instance>","currentState":{"code":32,"name":"shutting-down"},"previousState":{"code":16,"name":"running"}}]}}`)},
	call{weight: 1, service: "ec2", name: "AuthorizeSecurityGroupIngress", request: tmpl(`{"groupId":"<sg>","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.20.0.0/16"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}`), response: tmpl(`{"requestId":"<uuid>","_return":true}`)},
	call{weight: 30, service: "ssm", name: "UpdateInstanceInformation", request: tmpl(`{"instanceId":"<instance>","agentVersion":"3.3.2299.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.20.1.<number>","computerName":"ip-10-20-1.internal"}`)},
	call{weight: 20, service: "ssm", name: "GetParameter", read: true, request: tmpl(`{"name":"<parameter>","withDecryption":true}`)},
	call{weight: 12, service: "secretsmanager", name: "GetSecretValue", read: true, request: tmpl(`{"secretId":"arn:aws:secretsmanager:<region>:<account>:secret:<vault>"}`)},

	// The rest of the platform.
	call{weight: 20, service: "logs", name: "CreateLogStream", request: tmpl(`{"logGroupName":"<group>","logStreamName":"2026/03/02/[$LATEST]<hex>"}`)},
	call{weight: 20, service: "monitoring", name: "DescribeAlarms", read: true, request: tmpl(`{"alarmNamePrefix":"TargetTracking-table/<table>","maxRecords":100}`)},
	call{weight: 15, service: "dynamodb", name: "DescribeTable", read: true, request: tmpl(`{"tableName":"<table>"}`), resources: tmpl(`[{"accountId":"<account>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<account>:table/<table>"}]`)},
	call{weight: 15, service: "s3", name: "GetBucketAcl", read: true, request: tmpl(`{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","acl":""}`), resources: tmpl(`[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]`)},
	call{weight: 10, service: "rds", name: "DescribeDBInstances", read: true, request: tmpl(`{"dBInstanceIdentifier":"<workload>"}`)},
	call{weight: 10, service: "lambda", name: "GetFunction20150331v2", read: true, request: tmpl(`{"functionName":"<function>"}`)},
	call{weight: 8, service: "ecr", name: "BatchGetImage", read: true, request: tmpl(`{"repositoryName":"<repository>","imageIds":[{"imageTag":"v1.<number>"}],"acceptedMediaTypes":["application/vnd.oci.image.manifest.v1+json"]}`)},
	call{weight: 8, service: "eks", name: "DescribeCluster", read: true, request: tmpl(`{"name":"<cluster>"}`)},
	call{weight: 3, service: "cloudtrail", name: "DescribeTrails", read: true, request: tmpl(`{"trailNameList":[],"includeShadowTrails":true}`)},
	call{weight: 3, service: "cloudtrail", name: "LookupEvents", read: true, request: tmpl(`{"maxResults":50,"lookupAttributes":[{"attributeKey":"EventName","attributeValue":"ConsoleLogin"}]}`)},
)...)

var objectResource = tmpl(`[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<prefix>"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]`)
