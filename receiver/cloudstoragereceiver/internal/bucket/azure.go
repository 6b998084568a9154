package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// AzureOptions say which container to read and as whom: with a connection string, or as whom the environment says
// (managed identity, workload identity, service principal, az login).
type AzureOptions struct {
	AccountURL       string // https://<account>.blob.core.windows.net
	ConnectionString string
	Container        string // "" when notifications name it
}

type azureBucket struct {
	client *azblob.Client
	opts   AzureOptions
	host   string
}

// NewAzure does not connect.
func NewAzure(opts AzureOptions) (Bucket, error) {
	options := &azblob.ClientOptions{ClientOptions: AzureClientOptions()}
	var client *azblob.Client
	var err error
	if opts.ConnectionString != "" {
		client, err = azblob.NewClientFromConnectionString(opts.ConnectionString, options)
	} else {
		var credential azcore.TokenCredential
		if credential, err = azidentity.NewDefaultAzureCredential(nil); err == nil {
			client, err = azblob.NewClient(opts.AccountURL, credential, options)
		}
	}
	if err != nil {
		return nil, err
	}
	b := &azureBucket{client: client, opts: opts}
	if at, err := url.Parse(client.URL()); err == nil {
		b.host = at.Host
	}
	return b, nil
}

// AzureClientOptions are those of every Azure client here.
func AzureClientOptions() policy.ClientOptions {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Else a blob with Content-Encoding gzip would be unpacked on the way, where nothing bounds it and no offset is known.
	transport.DisableCompression = true
	return policy.ClientOptions{Transport: &http.Client{Transport: transport}}
}

func (b *azureBucket) Name() string { return b.opts.Container }
func (b *azureBucket) Close() error { return nil }

func (b *azureBucket) containerOf(o Object) string {
	if o.Bucket != "" {
		return o.Bucket
	}
	return b.opts.Container
}

func (b *azureBucket) URL(o Object) string {
	return strings.TrimRight(b.client.URL(), "/") + "/" + b.containerOf(o) + "/" + o.Key
}

func (b *azureBucket) Open(ctx context.Context, o Object, offset int64) (Content, error) {
	if o.Account != "" && !strings.EqualFold(o.Account, b.host) {
		err := fmt.Errorf("the blob is in the account %s, the receiver reads %s", o.Account, b.host)
		return Content{}, &Error{Kind: NotFound, Hint: "give each storage account a receiver of its own", Err: err}
	}
	options := &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: offset}}
	if offset > 0 && o.ETag != "" && !o.Grows {
		etag := azcore.ETag(`"` + o.ETag + `"`)
		options.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &etag}}
	}
	client := b.client.ServiceClient().NewContainerClient(b.containerOf(o)).NewBlobClient(o.Key)
	out, err := client.DownloadStream(ctx, options)
	if err != nil {
		return Content{}, classifyAzure(err, b.URL(o))
	}
	if out.ETag != nil {
		o.ETag = unquoted(string(*out.ETag))
	}
	o.Size = sizeUnknown
	if out.ContentLength != nil {
		o.Size = offset + *out.ContentLength
	}
	if out.LastModified != nil {
		o.Modified = *out.LastModified
	}
	o.Grows = out.BlobType != nil && *out.BlobType == blob.BlobTypeAppendBlob
	if out.CreationTime != nil {
		o.Created = *out.CreationTime
	}
	return Content{Object: o, Body: out.Body}, nil
}

// Page's token is Azure's own marker; the store has no other way to begin in the middle.
func (b *azureBucket) Page(ctx context.Context, prefix, token string) ([]Object, string, error) {
	options := &container.ListBlobsFlatOptions{MaxResults: to(int32(pageSize))}
	if prefix != "" {
		options.Prefix = &prefix
	}
	if token != "" {
		options.Marker = &token
	}
	pager := b.client.ServiceClient().NewContainerClient(b.opts.Container).NewListBlobsFlatPager(options)
	out, err := pager.NextPage(ctx)
	if err != nil {
		return nil, "", classifyAzure(err, "list "+b.URL(Object{Key: prefix}))
	}
	var page []Object
	if out.Segment != nil {
		for _, item := range out.Segment.BlobItems {
			if item.Name == nil || item.Properties == nil {
				continue
			}
			o, p := Object{Key: *item.Name}, item.Properties
			if p.ETag != nil {
				o.ETag = unquoted(string(*p.ETag))
			}
			if p.ContentLength != nil {
				o.Size = *p.ContentLength
			}
			if p.LastModified != nil {
				o.Modified = *p.LastModified
			}
			o.Grows = p.BlobType != nil && *p.BlobType == blob.BlobTypeAppendBlob
			if p.CreationTime != nil {
				o.Created = *p.CreationTime
			}
			o.Archived = p.AccessTier != nil && *p.AccessTier == blob.AccessTierArchive
			page = append(page, o)
		}
	}
	next := ""
	if out.NextMarker != nil {
		next = *out.NextMarker
	}
	return page, next, nil
}

func to[T any](value T) *T { return &value }

// azureErrors is what is known of Azure's error codes when reading.
// Source: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
var azureErrors = map[bloberror.Code]known{
	bloberror.BlobNotFound:                    {NotFound, ""},
	bloberror.ContainerNotFound:               {Misconfigured, "set azure_blob::container to a container that exists"},
	bloberror.AuthenticationFailed:            {Misconfigured, "the credentials are wrong, or this machine's clock is"},
	bloberror.AuthorizationPermissionMismatch: {Forbidden, "give this identity the role Storage Blob Data Reader"},
	bloberror.AuthorizationFailure:            {Forbidden, "the key is wrong, the account's network rules refuse this machine, or the identity lacks the role Storage Blob Data Reader"},
	bloberror.BlobArchived:                    {Archived, "rehydrate the blob, or read it before its lifecycle rule archives it"},
	bloberror.ConditionNotMet:                 {Changed, ""},
	bloberror.InvalidRange:                    {Changed, ""},
	bloberror.ServerBusy:                      {Unavailable, ""},
}

func classifyAzure(err error, what string) error {
	row, status := known{}, 0
	var response *azcore.ResponseError
	if errors.As(err, &response) {
		row, status = azureErrors[bloberror.Code(response.ErrorCode)], response.StatusCode
	}
	return classify(err, what, row, status)
}
