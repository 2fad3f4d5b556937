package trails

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36"

// The families of user agents. A # stands for the number of a version, a ~ for
// one of the architectures: few families, and many agents that appear rarely.
var (
	workloadAgents = []string{
		"aws-sdk-go-v2/1.3#.# ua/2.1 os/linux lang/go#1.24.# md/GOARCH#~ md/GOOS#linux api/kms#1.3#.1 m/E,g",
		"Boto3/1.38.# md/Botocore#1.38.# ua/2.1 os/linux#6.1.14#-155.222.amzn2023.~ md/arch#~ lang/python#3.12.# cfg/retry-mode#standard Botocore/1.38.#",
		"aws-sdk-java/2.31.# md/io#sync md/http#Apache ua/2.1 os/Linux#5.10.23# lang/java#21.0.# md/OpenJDK_64-Bit_Server_VM#21.0.7+6-LTS md/vendor#Amazon.com_Inc. exec-env/AWS_ECS_FARGATE",
		"aws-sdk-js/3.8#.# ua/2.1 os/linux#5.10.23# lang/js md/nodejs#22.#.0 api/s3#3.8#.0 exec-env/AWS_Lambda_nodejs22.x",
		"aws-sdk-rust/1.3.# os/linux lang/rust/1.8#.0",
	}
	personAgents = []string{
		browser,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:13#.0) Gecko/20100101 Firefox/13#.0",
		"aws-cli/2.2#.# md/awscrt#0.26.# ua/2.1 os/macos#24.#.0 md/arch#~ lang/python#3.13.# md/pyimpl#CPython cfg/retry-mode#standard md/installer#source md/prompt#off md/command#sts.get-caller-identity",
		"APN/1.0 HashiCorp/1.0 Terraform/1.12.# (+https://www.terraform.io) terraform-provider-aws/6.#.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.# ua/2.1 os/linux",
	}
	alibabaAgents = []string{
		"AlibabaCloud (Linux; ~) Golang/1.24.# Core/0.0# TeaDSL/1",
		"AlibabaCloud (Linux; ~) Java/17.0.1#-b6 tea-util/0.2.# TeaDSL/1",
		"Aliyun-CLI/3.0.2#",
		"kms.console.aliyun.com",
		"HashiCorp-Terraform/1.12.# Provider/1.25#.0 Terraform-Module/default",
	}
)

func workloadAgent(rng *rand.Rand) string { return agent(rng, workloadAgents) }
func personAgent(rng *rand.Rand) string   { return agent(rng, personAgents) }
func alibabaAgent(rng *rand.Rand) string  { return agent(rng, alibabaAgents) }

// agent picks a family and gives it versions.
func agent(rng *rand.Rand, families []string) string {
	var b strings.Builder
	for _, c := range pick(rng, families) {
		switch c {
		case '#':
			fmt.Fprint(&b, rng.IntN(60))
		case '~':
			b.WriteString(pick(rng, []string{"x86_64", "arm64"}))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
