package s3

import (
	"context"
	"io"
	"iter"
	"time"
)

// bucket is what is needed of an object store. Its errors say what to do.
type bucket interface {
	// list returns the objects whose keys begin with prefix and come after
	// the key after, page by page in the order of their keys. With folders, what
	// lies in folders below prefix is not listed: the folders' paths are.
	list(ctx context.Context, prefix, after string, folders bool) iter.Seq2[page, error]
	// get opens an object from an offset. An object that is not there in this
	// version is an error that is fs.ErrNotExist.
	get(ctx context.Context, o object, offset int64) (io.ReadCloser, error)
	// head looks an object up by its key.
	head(ctx context.Context, key string) (object, error)
}

type page struct {
	objects []object
	folders []string
}

// object is an object as it is listed.
type object struct {
	key      string
	version  string // its ETag, in lower case and without quotes
	size     int64  // -1 when unknown
	modified time.Time
}
