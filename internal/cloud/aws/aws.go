// Package aws finds credentials for whatever talks to AWS, whichever of its services.
package aws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// Options say as whom to talk to AWS, whichever of its services.
type Options struct {
	Region      string // "" takes the environment's or the profile's
	RoleARN     string // to take on before each use
	ExternalID  string
	SessionName string
}

// Load finds credentials as the AWS command line does: environment, web identity, profile, instance; then it takes on
// the role, if there is one. It does not connect.
func Load(ctx context.Context, opts Options) (aws.Config, error) {
	// What the SDK would write to standard error passes the host's log by; what matters comes back as an error.
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if opts.Region != "" {
		load = append(load, config.WithRegion(opts.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return cfg, err
	}
	if cfg.Region == "" {
		return cfg, errors.New("region: not set, and neither the environment nor a profile names one")
	}
	if opts.RoleARN != "" {
		role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), opts.RoleARN, func(o *stscreds.AssumeRoleOptions) {
			if opts.ExternalID != "" {
				o.ExternalID = aws.String(opts.ExternalID)
			}
			if opts.SessionName != "" {
				o.RoleSessionName = opts.SessionName
			}
		})
		cfg.Credentials = aws.NewCredentialsCache(role)
	}
	return cfg, nil
}
