package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Gateway is a running S3 server: versitygw over a folder, on a socket that
// nobody else finds. trailship reaches it through a [Proxy]; the test puts
// objects with the methods here, past all faults.
type Gateway struct {
	Region string
	data   string // the folder of the objects
	client *s3.Client
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Options of a Gateway.
type Options struct {
	Region  string // it signs for; "" is us-east-1
	Webhook string // URL that hears of every object put; "" is none
	// Others are further accounts, secret by access key. They may see nothing
	// of what the root account made.
	Others map[string]string
}

// Start starts a server that is empty and stops with the test.
func Start(t testing.TB, o Options) *Gateway {
	t.Helper()
	program, err := gatewayProgram()
	if err != nil {
		missing(t, "versitygw", err)
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	// A socket's path must be short: t.TempDir's is not.
	dir, err := os.MkdirTemp("", "s3test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, sub := range []string{"data", "meta", "iam"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}

	socket := filepath.Join(dir, "s3")
	args := []string{"--port", socket, "--access", AccessKey, "--secret", SecretKey, "--region", o.Region,
		"--iam-dir", filepath.Join(dir, "iam"), "--health", "/healthy", "--quiet"}
	if o.Webhook != "" {
		args = append(args, "--event-webhook-url", o.Webhook)
	}
	args = append(args, "posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "data"))
	said := startServer(t, exec.Command(program, args...))

	g := &Gateway{Region: o.Region, data: filepath.Join(dir, "data"), dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	g.client = s3.New(s3.Options{
		Region: o.Region, BaseEndpoint: aws.String("http://s3.test"), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{DialContext: g.dial, MaxIdleConnsPerHost: 32}},
	})
	g.untilHealthy(t, said)
	for access, secret := range o.Others {
		g.addAccount(t, program, access, secret)
	}
	return g
}

// untilHealthy waits until the server answers.
func (g *Gateway) untilHealthy(t testing.TB, said *output) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: g.dial, DisableKeepAlives: true}}
	poll(t, "the S3 server answers", func() bool {
		resp, err := client.Get("http://s3.test/healthy")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	}, said)
}

// addAccount makes an account with the server's own administration.
func (g *Gateway) addAccount(t testing.TB, program, access, secret string) {
	t.Helper()
	p := NewProxy(t, g)
	cmd := exec.Command(program, "admin", "--access", AccessKey, "--secret", SecretKey, "--region", g.Region, "--endpoint-url", p.URL,
		"create-user", "--access", access, "--secret", secret, "--role", "user")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making the account %s: %v\n%s", access, err, out)
	}
}

// MakeBucket makes a bucket.
func (g *Gateway) MakeBucket(t testing.TB, name string) {
	t.Helper()
	if _, err := g.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("making bucket %s: %v", name, err)
	}
}

// Put stores an object, or replaces it. Safe for concurrent use.
func (g *Gateway) Put(t testing.TB, bucket, key string, body []byte) {
	t.Helper()
	if err := g.put(t.Context(), bucket, key, body); err != nil {
		t.Errorf("putting %s: %v", key, err)
	}
}

func (g *Gateway) put(ctx context.Context, bucket, key string, body []byte) error {
	_, err := g.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	return err
}

// PutAt stores an object that says it was last modified at a time of a clock
// that is not the server's. Until PutAt returns it says that it is of now.
func (g *Gateway) PutAt(t testing.TB, bucket, key string, body []byte, modified time.Time) {
	t.Helper()
	g.Put(t, bucket, key, body)
	if err := os.Chtimes(filepath.Join(g.data, bucket, filepath.FromSlash(key)), modified, modified); err != nil {
		t.Errorf("dating %s: %v", key, err)
	}
}

// Object is something to put.
type Object struct {
	Key  string
	Body []byte
}

// PutAll stores many objects, several at a time, begun in the order given.
func (g *Gateway) PutAll(t testing.TB, bucket string, objects []Object) {
	t.Helper()
	next := make(chan Object)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for o := range next {
				g.Put(t, bucket, o.Key, o.Body)
			}
		})
	}
	for _, o := range objects {
		next <- o
	}
	close(next)
	writers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// Delete removes an object.
func (g *Gateway) Delete(t testing.TB, bucket, key string) {
	t.Helper()
	if _, err := g.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Fatalf("deleting %s: %v", key, err)
	}
}

// startServer starts a program that ends with the test and returns what it
// says.
func startServer(t testing.TB, cmd *exec.Cmd) *output {
	t.Helper()
	said := &output{gone: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = withTheTest()
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	go func() {
		defer close(said.gone)
		_ = cmd.Wait() // it is killed, or poll says that it ended
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-said.gone
	})
	return said
}

// output is what a server says, and when it is gone.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	gone chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// poll waits for a condition while a server runs.
func poll(t testing.TB, what string, ok func() bool, said *output) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		var err error
		select {
		case <-said.gone:
			err = errors.New("the program ended")
		case <-deadline:
			err = errors.New("it takes too long")
		case <-time.After(10 * time.Millisecond):
			continue
		}
		t.Fatal(fmt.Errorf("waiting until %s: %w; it said:\n%s", what, err, said))
	}
}
