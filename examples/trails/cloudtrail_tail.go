package trails

// corner is a service that an account uses now and then.
type corner struct {
	service string
	reads   []string
	writes  []string
	request template // of all its calls
}

// calls are what happens in a corner: reading more often than writing.
func (c corner) calls() (table []call) {
	for n, name := range c.reads {
		table = append(table, call{weight: 3 - min(n, 2), service: c.service, name: name, read: true, request: c.request})
	}
	for _, name := range c.writes {
		table = append(table, call{weight: 1, service: c.service, name: name, request: c.request, response: cornerResponse})
	}
	return table
}

var cornerResponse = tmpl(`{"requestId":"<uuid>","status":"ACTIVE","lastModified":"<time>"}`)

// cornerCalls are the calls of all corners: a sixth of what goes on, from many
// services that hardly appear.
func cornerCalls() (table []call) {
	for _, c := range corners {
		table = append(table, c.calls()...)
	}
	return table
}

var corners = []corner{
	{"access-analyzer", []string{"ListFindingsV2", "GetAnalyzer"}, []string{"ArchiveFindings"}, tmpl(`{"analyzerArn":"arn:aws:access-analyzer:<region>:<account>:analyzer/<workload>"}`)},
	{"acm", []string{"DescribeCertificate", "ListCertificates"}, []string{"RequestCertificate"}, tmpl(`{"certificateArn":"arn:aws:acm:<region>:<account>:certificate/<uuid>"}`)},
	{"apigateway", []string{"GetRestApis", "GetStages", "GetResources"}, []string{"CreateDeployment"}, tmpl(`{"restApiId":"<hex>","stageName":"<workload>","template":false}`)},
	{"application-autoscaling", []string{"DescribeScalableTargets", "DescribeScalingPolicies"}, []string{"RegisterScalableTarget"}, tmpl(`{"serviceNamespace":"ecs","resourceIds":["service/<cluster>/<workload>"],"maxResults":<number>}`)},
	{"appsync", []string{"GetGraphqlApi", "ListDataSources"}, []string{"UpdateResolver"}, tmpl(`{"apiId":"<hex>","typeName":"Query"}`)},
	{"athena", []string{"GetQueryExecution", "GetQueryResults", "ListWorkGroups"}, []string{"StartQueryExecution"}, tmpl(`{"queryExecutionId":"<uuid>","workGroup":"<workload>","queryString":"SELECT * FROM <table> WHERE day = '2026-03-02' LIMIT <number>"}`)},
	{"autoscaling", []string{"DescribeAutoScalingGroups", "DescribePolicies", "DescribeAutoScalingInstances"}, []string{"SetDesiredCapacity", "PutScalingPolicy"}, tmpl(`{"autoScalingGroupNames":["<workload>-<hex>"],"maxRecords":100}`)},
	{"backup", []string{"ListBackupJobs", "DescribeBackupVault"}, []string{"StartBackupJob"}, tmpl(`{"backupVaultName":"<vault>","byResourceArn":"arn:aws:ec2:<region>:<account>:volume/<volume>"}`)},
	{"batch", []string{"DescribeJobs", "DescribeJobQueues"}, []string{"SubmitJob"}, tmpl(`{"jobs":["<uuid>"],"jobQueue":"<workload>"}`)},
	{"bedrock", []string{"ListFoundationModels", "GetInferenceProfile"}, []string{"InvokeModel", "Converse"}, tmpl(`{"modelId":"arn:aws:bedrock:<region>::inference-profile/<workload>","inferenceConfig":{"maxTokens":<number>}}`)},
	{"budgets", []string{"DescribeBudgets", "DescribeNotificationsForBudget"}, nil, tmpl(`{"accountId":"<account>","maxResults":100,"budgetName":"<workload>"}`)},
	{"ce", []string{"GetCostAndUsage", "GetDimensionValues"}, nil, tmpl(`{"granularity":"DAILY","timePeriod":{"start":"2026-03-01","end":"2026-03-02"},"filter":{"dimensions":{"key":"SERVICE","values":["<workload>"]}}}`)},
	{"cloudformation", []string{"DescribeStacks", "DescribeStackEvents", "ListStackResources"}, []string{"UpdateStack", "CreateChangeSet"}, tmpl(`{"stackName":"arn:aws:cloudformation:<region>:<account>:stack/<workload>/<uuid>"}`)},
	{"cloudfront", []string{"GetDistribution", "ListDistributions"}, []string{"CreateInvalidation"}, tmpl(`{"id":"E<number>EXAMPLE<digit>","invalidationBatch":{"callerReference":"<uuid>","paths":{"quantity":1,"items":["/<prefix>/*"]}}}`)},
	{"codebuild", []string{"BatchGetBuilds", "BatchGetProjects"}, []string{"StartBuild"}, tmpl(`{"ids":["<workload>:<uuid>"],"sourceVersion":"refs/heads/feature-<number>"}`)},
	{"codecommit", []string{"GetRepository", "GetBranch", "GitPull"}, []string{"GitPush"}, tmpl(`{"repositoryName":"<workload>","references":[{"commit":"<hex><hex>","ref":"refs/heads/main"}]}`)},
	{"codedeploy", []string{"GetDeployment", "ListDeployments"}, []string{"CreateDeployment"}, tmpl(`{"deploymentId":"d-<hex>","applicationName":"<workload>"}`)},
	{"codepipeline", []string{"GetPipelineState", "ListPipelineExecutions"}, []string{"PutJobSuccessResult"}, tmpl(`{"name":"<workload>","jobId":"<uuid>"}`)},
	{"cognito-idp", []string{"DescribeUserPool", "AdminGetUser", "ListUsers"}, []string{"InitiateAuth", "SignUp"}, tmpl(`{"userPoolId":"<region>_<number>","clientId":"<hex>","username":"HIDDEN_DUE_TO_SECURITY_REASONS"}`)},
	{"config", []string{"DescribeConfigurationRecorderStatus", "GetComplianceDetailsByConfigRule", "SelectResourceConfig"}, []string{"PutEvaluations"}, tmpl(`{"configRuleName":"<workload>","complianceTypes":["NON_COMPLIANT"],"resultToken":"<secret><secret>"}`)},
	{"dms", []string{"DescribeReplicationTasks"}, []string{"StartReplicationTask"}, tmpl(`{"filters":[{"name":"replication-task-arn","values":["arn:aws:dms:<region>:<account>:task:<hex>"]}]}`)},
	{"ecs", []string{"DescribeTasks", "DescribeServices", "ListTasks", "DescribeTaskDefinition"}, []string{"RunTask", "RegisterTaskDefinition", "UpdateService"}, tmpl(`{"cluster":"<cluster>","tasks":["arn:aws:ecs:<region>:<account>:task/<cluster>/<hex>"],"include":["TAGS"]}`)},
	{"elasticache", []string{"DescribeCacheClusters", "DescribeReplicationGroups"}, []string{"ModifyReplicationGroup"}, tmpl(`{"cacheClusterId":"<workload>-00<digit>","showCacheNodeInfo":true}`)},
	{"elasticfilesystem", []string{"DescribeFileSystems", "DescribeMountTargets"}, []string{"NewClientConnection"}, tmpl(`{"fileSystemId":"fs-<hex>","maxItems":100}`)},
	{"elasticloadbalancing", []string{"DescribeTargetHealth", "DescribeLoadBalancers", "DescribeListeners", "DescribeRules"}, []string{"RegisterTargets", "DeregisterTargets"}, tmpl(`{"targetGroupArn":"arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<workload>/<hex>","targets":[{"id":"<instance>","port":8080}]}`)},
	{"elasticmapreduce", []string{"DescribeCluster", "ListSteps"}, []string{"AddJobFlowSteps"}, tmpl(`{"clusterId":"j-<number>EXAMPLE","stepStates":["RUNNING"]}`)},
	{"es", []string{"DescribeDomain", "ListDomainNames"}, []string{"UpdateDomainConfig"}, tmpl(`{"domainName":"<workload>"}`)},
	{"events", []string{"DescribeRule", "ListTargetsByRule"}, []string{"PutRule", "PutTargets"}, tmpl(`{"name":"<function>","eventBusName":"default"}`)},
	{"firehose", []string{"DescribeDeliveryStream"}, []string{"UpdateDestination"}, tmpl(`{"deliveryStreamName":"<workload>","exclusiveStartDestinationId":"destinationId-<hex>"}`)},
	{"glacier", []string{"ListVaults", "DescribeJob"}, nil, tmpl(`{"accountId":"-","vaultName":"<vault>"}`)},
	{"glue", []string{"GetTable", "GetPartitions", "GetDatabases", "GetJobRun"}, []string{"BatchCreatePartition", "StartJobRun"}, tmpl(`{"catalogId":"<account>","databaseName":"<workload>","name":"<table>","expression":"day = '2026-03-<number>'"}`)},
	{"guardduty", []string{"ListFindings", "GetFindings", "ListDetectors"}, []string{"UpdateFindingsFeedback"}, tmpl(`{"detectorId":"<hex>","findingIds":["<hex><hex>"]}`)},
	{"health", []string{"DescribeEventAggregates", "DescribeEvents"}, nil, tmpl(`{"aggregateField":"eventTypeCategory","filter":{"startTimes":[{"from":"<time>"}]}}`)},
	{"inspector2", []string{"ListFindings", "BatchGetAccountStatus"}, nil, tmpl(`{"filterCriteria":{"resourceId":[{"comparison":"EQUALS","value":"<instance>"}]},"maxResults":100}`)},
	{"iot", []string{"DescribeEndpoint", "DescribeThing"}, []string{"UpdateThingShadow"}, tmpl(`{"thingName":"<workload>-<number>"}`)},
	{"kafka", []string{"DescribeClusterV2", "GetBootstrapBrokers"}, nil, tmpl(`{"clusterArn":"arn%3Aaws%3Akafka%3A<region>%3A<account>%3Acluster%2F<workload>%2F<uuid>"}`)},
	{"kinesis", []string{"DescribeStreamSummary", "ListShards", "GetShardIterator"}, []string{"UpdateShardCount"}, tmpl(`{"streamName":"<workload>","shardId":"shardId-000000000<number>"}`)},
	{"lakeformation", []string{"GetDataAccess", "ListPermissions"}, []string{"GrantPermissions"}, tmpl(`{"tableArn":"arn:aws:glue:<region>:<account>:table/<workload>/<table>","durationSeconds":3600,"auditContext":{"additionalAuditContext":"{queryId: <uuid>}"}}`)},
	{"license-manager", []string{"ListLicenseConfigurations"}, nil, tmpl(`{"maxResults":<number>}`)},
	{"organizations", []string{"DescribeOrganization", "ListAccounts", "DescribeAccount"}, []string{"TagResource"}, tmpl(`{"accountId":"<account>"}`)},
	{"quicksight", []string{"GetDashboardEmbedUrl", "DescribeDataSet"}, nil, tmpl(`{"awsAccountId":"<account>","dashboardId":"<uuid>"}`)},
	{"ram", []string{"GetResourceShares", "ListResources"}, []string{"AssociateResourceShare"}, tmpl(`{"resourceOwner":"SELF","resourceShareArns":["arn:aws:ram:<region>:<account>:resource-share/<uuid>"]}`)},
	{"redshift", []string{"DescribeClusters", "GetClusterCredentials"}, []string{"PauseCluster"}, tmpl(`{"clusterIdentifier":"<workload>","dbUser":"IAMR:<role>"}`)},
	{"resource-explorer-2", []string{"Search", "ListIndexes"}, nil, tmpl(`{"queryString":"id:<instance>","maxResults":100}`)},
	{"route53", []string{"ListResourceRecordSets", "GetHostedZone", "GetChange"}, []string{"ChangeResourceRecordSets"}, tmpl(`{"hostedZoneId":"Z<number>EXAMPLE<digit>","changeBatch":{"changes":[{"action":"UPSERT","resourceRecordSet":{"name":"<workload>.example.com","type":"A","tTL":60,"resourceRecords":[{"value":"10.20.<digit>.<number>"}]}}]}}`)},
	{"sagemaker", []string{"DescribeEndpoint", "DescribeTrainingJob", "ListNotebookInstances"}, []string{"CreateTrainingJob", "CreatePresignedNotebookInstanceUrl"}, tmpl(`{"trainingJobName":"<workload>-<hex>"}`)},
	{"scheduler", []string{"GetSchedule"}, []string{"UpdateSchedule"}, tmpl(`{"name":"<function>","groupName":"default","scheduleExpression":"rate(<digit> hours)"}`)},
	{"securityhub", []string{"GetFindings", "DescribeHub"}, []string{"BatchImportFindings"}, tmpl(`{"filters":{"resourceId":[{"value":"arn:aws:ec2:<region>:<account>:instance/<instance>","comparison":"EQUALS"}]},"nextToken":"<secret><secret><secret>"}`)},
	{"servicediscovery", []string{"DiscoverInstances", "GetInstancesHealthStatus"}, []string{"RegisterInstance"}, tmpl(`{"serviceId":"srv-<hex>","instanceId":"<uuid>"}`)},
	{"servicequotas", []string{"ListServiceQuotas", "GetServiceQuota"}, nil, tmpl(`{"serviceCode":"ec2","quotaCode":"L-<number>EXAMPLE"}`)},
	{"ses", []string{"GetSendQuota", "GetIdentityVerificationAttributes"}, []string{"SendEmail"}, tmpl(`{"source":"noreply@example.com","destination":{"toAddresses":["HIDDEN_DUE_TO_SECURITY_REASONS"]},"configurationSetName":"<workload>"}`)},
	{"sns", []string{"GetTopicAttributes", "ListSubscriptionsByTopic"}, []string{"Subscribe", "SetTopicAttributes"}, tmpl(`{"topicArn":"arn:aws:sns:<region>:<account>:<workload>"}`)},
	{"sqs", []string{"GetQueueAttributes", "ListQueues", "GetQueueUrl"}, []string{"SetQueueAttributes"}, tmpl(`{"queueUrl":"https://sqs.<region>.amazonaws.com/<account>/<workload>","attributeNames":["ApproximateNumberOfMessages"]}`)},
	{"sso", []string{"ListAccountAssignments", "GetRoleCredentials"}, []string{"CreateToken"}, tmpl(`{"instanceArn":"arn:aws:sso:::instance/ssoins-<hex>","accountId":"<account>"}`)},
	{"states", []string{"DescribeExecution", "GetExecutionHistory"}, []string{"StartExecution"}, tmpl(`{"executionArn":"arn:aws:states:<region>:<account>:execution:<workload>:<uuid>","includeExecutionData":false}`)},
	{"tagging", []string{"GetResources", "GetTagKeys"}, nil, tmpl(`{"resourceTypeFilters":["ec2:instance"],"paginationToken":"<secret><secret><secret><secret>"}`)},
	{"trustedadvisor", []string{"DescribeCheckSummaries"}, nil, tmpl(`{"checkIds":["<secret>"]}`)},
	{"wafv2", []string{"GetWebACL", "ListResourcesForWebACL", "GetSampledRequests"}, []string{"UpdateIPSet"}, tmpl(`{"scope":"REGIONAL","id":"<uuid>","name":"<workload>","lockToken":"<uuid>"}`)},
	{"workspaces", []string{"DescribeWorkspaces", "DescribeWorkspacesConnectionStatus"}, nil, tmpl(`{"workspaceIds":["ws-<number>example"],"limit":25}`)},
	{"xray", []string{"GetTraceSummaries", "BatchGetTraces", "GetSamplingRules"}, nil, tmpl(`{"timeRangeType":"Event","startTime":"<time>","filterExpression":"service(\"<workload>\")","nextToken":"<secret><secret>"}`)},
}
