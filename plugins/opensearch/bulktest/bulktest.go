// Package bulktest is a server for tests that speaks the bulk API of OpenSearch
// and Elasticsearch: no real one can be had from a package registry. It takes
// what their documentation says a request looks like, refuses everything else
// as they do, and is held against the official Go client in its own test.
package bulktest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Doc is a document that was indexed.
type Doc struct {
	Index, ID string
	Version   int // 1, then counting
	JSON      string
}

// Server holds documents. Its fields must be set before the first request.
type Server struct {
	URL string
	// Authorization is what the header must say; "" takes everything.
	Authorization string
	// Judge says what becomes of a document: status 0 takes it, any other is
	// that of its item, with an error of this type.
	Judge func(r *http.Request, doc string) (status int, errorType string)
	// MaxBody refuses larger requests with 413, in bytes; 0 takes all.
	MaxBody int

	mu       sync.Mutex
	order    []string
	docs     map[string]*Doc
	requests int
}

// Start serves until the test is over.
func (s *Server) Start(t testing.TB) {
	s.docs = map[string]*Doc{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
}

// Docs returns what is there, in the order in which it came first.
func (s *Server) Docs() []Doc {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Doc
	for _, key := range s.order {
		all = append(all, *s.docs[key])
	}
	return all
}

// Requests returns how many there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// operation is one of a bulk request.
type operation struct {
	name   string
	target target
	doc    string
}

type target struct {
	Index string `json:"_index"`
	ID    string `json:"_id"`
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	if s.Authorization != "" && r.Header.Get("Authorization") != s.Authorization {
		refuse(w, http.StatusUnauthorized, "security_exception", "unable to authenticate user with "+r.Header.Get("Authorization"))
		return
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.URL.Path != "/_bulk" || r.Method != http.MethodPost && r.Method != http.MethodPut:
		refuse(w, http.StatusMethodNotAllowed, "illegal_argument_exception", "no handler found for "+r.Method+" "+r.URL.Path)
		return
	case kind != "application/x-ndjson" && kind != "application/json":
		refuse(w, http.StatusNotAcceptable, "media_type_header_exception", "Content-Type "+kind+" is not supported")
		return
	}
	text, err := bodyOf(r)
	if err == nil && s.MaxBody > 0 && len(text) > s.MaxBody {
		refuse(w, http.StatusRequestEntityTooLarge, "content_too_long_exception", "entity content is too long")
		return
	}
	var ops []operation
	if err == nil {
		ops, err = parse(text)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "illegal_argument_exception", err.Error())
		return
	}
	s.answer(w, r, ops)
}

func bodyOf(r *http.Request) ([]byte, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = zip
	}
	return io.ReadAll(body)
}

// parse reads lines in pairs. The last one ends with a newline, too.
func parse(text []byte) ([]operation, error) {
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, fmt.Errorf("the bulk request must be terminated by a newline [\\n]")
	}
	var ops []operation
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n += 2 {
		var action map[string]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &action); err != nil || len(action) != 1 {
			return nil, fmt.Errorf("malformed action/metadata line [%d]", n)
		}
		for name, meta := range action {
			op := operation{name: name}
			d := json.NewDecoder(bytes.NewReader(meta))
			d.DisallowUnknownFields()
			if err := d.Decode(&op.target); err != nil || name != "create" && name != "index" || op.target.Index == "" {
				return nil, fmt.Errorf("malformed action/metadata line [%d], expected create or index with _index and _id", n)
			}
			if !lines.Scan() {
				return nil, fmt.Errorf("the document of line [%d] is missing", n)
			}
			op.doc = lines.Text()
			ops = append(ops, op)
		}
	}
	return ops, lines.Err()
}

// answer carries the operations out and writes what became of each.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, ops []operation) {
	items, failed := []any{}, false
	for _, op := range ops {
		item := s.do(r, op)
		failed = failed || item["error"] != nil
		items = append(items, map[string]any{op.name: item})
	}
	answer := map[string]any{"took": 1, "errors": failed, "items": items}
	if strings.HasPrefix(r.URL.Query().Get("filter_path"), "errors,") {
		delete(answer, "took")
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	json.NewEncoder(w).Encode(answer)
}

// do carries out one operation and returns its item.
func (s *Server) do(r *http.Request, op operation) map[string]any {
	item := map[string]any{"_index": op.target.Index, "_id": op.target.ID}
	fail := func(status int, kind, reason string) map[string]any {
		item["status"], item["error"] = status, map[string]any{"type": kind, "reason": reason, "index": op.target.Index}
		return item
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(op.doc), &object); err != nil {
		return fail(http.StatusBadRequest, "mapper_parsing_exception", "failed to parse: "+err.Error())
	}
	if s.Judge != nil {
		if status, kind := s.Judge(r, op.doc); status != 0 {
			return fail(status, kind, "because of "+op.doc[:min(len(op.doc), 40)])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := op.target.Index + "/" + op.target.ID
	doc := s.docs[key]
	switch {
	case doc == nil:
		doc = &Doc{Index: op.target.Index, ID: op.target.ID}
		s.docs[key] = doc
		s.order = append(s.order, key)
	case op.name == "create":
		return fail(http.StatusConflict, "version_conflict_engine_exception", "["+op.target.ID+"]: version conflict, document already exists (current version ["+fmt.Sprint(doc.Version)+"])")
	}
	doc.JSON = op.doc
	doc.Version++
	item["_version"], item["result"], item["status"] = doc.Version, "created", http.StatusCreated
	if doc.Version > 1 {
		item["result"], item["status"] = "updated", http.StatusOK
	}
	return item
}

// refuse answers a request as a whole.
func refuse(w http.ResponseWriter, status int, kind, reason string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"type": kind, "reason": reason}, "status": status})
}
