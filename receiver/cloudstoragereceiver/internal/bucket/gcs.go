package bucket

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

// GCSOptions say which bucket to read. Credentials are found as Google's tools do (application default credentials).
type GCSOptions struct {
	Bucket   string // "" when notifications name it
	Endpoint string // of another store than Google's; with http:// it is asked without credentials
}

type gcsBucket struct {
	client *storage.Client
	opts   GCSOptions
}

// NewGCS does not connect.
func NewGCS(ctx context.Context, opts GCSOptions) (Bucket, error) {
	var options []option.ClientOption // reads go through the XML interface: the JSON one cannot hand out gzip as it is stored
	if opts.Endpoint != "" {
		options = append(options, option.WithEndpoint(strings.TrimRight(opts.Endpoint, "/")+"/storage/v1/"))
		if strings.HasPrefix(opts.Endpoint, "http://") {
			options = append(options, option.WithoutAuthentication())
		}
	}
	client, err := storage.NewClient(ctx, options...)
	if err != nil {
		return nil, err
	}
	return &gcsBucket{client: client, opts: opts}, nil
}

func (b *gcsBucket) Name() string { return b.opts.Bucket }
func (b *gcsBucket) Close() error { return b.client.Close() }

func (b *gcsBucket) bucketOf(o Object) string {
	if o.Bucket != "" {
		return o.Bucket
	}
	return b.opts.Bucket
}

func (b *gcsBucket) URL(o Object) string { return "gs://" + b.bucketOf(o) + "/" + o.Key }

// Open's ETag is the object's generation, which is what tells one content of a name from the next.
func (b *gcsBucket) Open(ctx context.Context, o Object, offset int64) (Content, error) {
	handle := b.client.Bucket(b.bucketOf(o)).Object(o.Key)
	version := o.Version
	if version == "" && offset > 0 {
		version = o.ETag
	}
	if version != "" {
		generation, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			return Content{}, &Error{Kind: NotFound, Err: fmt.Errorf("%s: generation %.32q is no number", b.URL(o), version)}
		}
		handle = handle.Generation(generation)
	}
	// Compressed as it is stored: on the way nothing would bound the unpacking.
	r, err := handle.ReadCompressed(true).NewRangeReader(ctx, offset, -1)
	if err != nil {
		return Content{}, b.classify(err, b.URL(o), offset)
	}
	o.Size, o.Modified, o.ETag = r.Attrs.Size, r.Attrs.LastModified, strconv.FormatInt(r.Attrs.Generation, 10)
	return Content{Object: o, Body: r}, nil
}

// Page's token is the last key of the page before.
func (b *gcsBucket) Page(ctx context.Context, prefix, token string) ([]Object, string, error) {
	query := &storage.Query{Prefix: prefix, StartOffset: token, Projection: storage.ProjectionNoACL}
	if err := query.SetAttrSelection([]string{"Name", "Size", "Generation", "Updated", "Created"}); err != nil {
		return nil, "", err
	}
	objects := b.client.Bucket(b.opts.Bucket).Objects(ctx, query)
	objects.PageInfo().MaxSize = pageSize
	var page []Object
	for len(page) < pageSize {
		attrs, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return page, "", nil
		}
		if err != nil {
			return nil, "", b.classify(err, "list gs://"+b.opts.Bucket+"/"+prefix, 0)
		}
		if attrs.Name == token { // the offset is inclusive
			continue
		}
		page = append(page, Object{
			Key: attrs.Name, ETag: strconv.FormatInt(attrs.Generation, 10), Size: attrs.Size,
			Modified: attrs.Created, // of this generation; later changes are to its metadata
		})
	}
	return page, page[len(page)-1].Key, nil
}

// classify goes by status; Google's reasons say no more for reading.
func (b *gcsBucket) classify(err error, what string, offset int64) error {
	row, status := known{}, 0
	var api *googleapi.Error
	switch {
	case errors.Is(err, storage.ErrObjectNotExist) && offset > 0:
		row = known{Changed, ""} // of the generation that was begun
	case errors.Is(err, storage.ErrObjectNotExist):
		row = known{NotFound, ""}
	case errors.Is(err, storage.ErrBucketNotExist):
		row = known{Misconfigured, "set gcs::bucket to a bucket that exists"}
	case errors.As(err, &api):
		status = api.Code
		switch status {
		case 403:
			row = known{Forbidden, "give this identity the role Storage Object Viewer on the bucket"}
		case 401:
			row = known{Misconfigured, "the credentials are missing or have expired"}
		case 416:
			row = known{Changed, ""}
		}
	}
	return classify(err, what, row, status)
}
