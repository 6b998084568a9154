// Command accesspolicy prints the bucket policy that lets Panoptica, or the panoptica_s3 exporter, write to a bucket, and checks what
// an existing policy lacks.
//
//	accesspolicy -bucket-arn arn:aws:s3:::acme-siem -role-arn arn:aws:iam::111122223333:role/siempipe
//
// prints the policy in the form of Panoptica's console. -strict prints a tighter one: for writing only, under -root only, and
// without the ACL bucket-owner-full-control every put is refused. A bucket policy is about one bucket: with several buckets
// the output is an object of policies by bucket ARN. With -check the policy is read and not printed; it may be wrapped as
// aws s3api get-bucket-policy prints it.
//
// The exit status is 0, 1 when -check finds something missing, or 2.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// maxBucketPolicyBytes is what S3 takes.
	// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
	maxBucketPolicyBytes = 20 << 10
	// maxFileBytes is far above it.
	maxFileBytes = 1 << 20
)

// errLacking ends the command with status 1; what is lacking has been printed.
var errLacking = errors.New("the policy lacks grants")

func main() {
	switch err := run(os.Args[1:], os.Stdin, os.Stdout); {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errLacking):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "accesspolicy:", err)
		os.Exit(2)
	}
}

// list is a flag that may be given several times, and with commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l = append(*l, part)
		}
	}
	return nil
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("accesspolicy", flag.ContinueOnError)
	var buckets, roles list
	flags.Var(&buckets, "bucket-arn", "ARN of the bucket; several with commas")
	flags.Var(&roles, "role-arn", "ARN of the role, or user, that writes; several with commas")
	options := options{}
	flags.BoolVar(&options.strict, "strict", false, "for writing only, and refuse puts without the ACL bucket-owner-full-control")
	flags.StringVar(&options.root, "root", "Panoptica", "with -strict: the exporter's root")
	flags.BoolVar(&options.tags, "tags", false, "with -strict: the exporter sets tags")
	check := flags.String("check", "", "file with the policy that the bucket has, - for standard input: say which grants it lacks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: unexpected argument", flags.Arg(0))
	}
	if err := options.parse(buckets, roles); err != nil {
		return err
	}
	if *check != "" {
		return checkFile(*check, &options, in, out)
	}
	all := make(map[string]*policy, len(options.buckets))
	var document any = all
	for _, b := range options.buckets {
		p := options.policy(b)
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if len(text) > maxBucketPolicyBytes {
			return fmt.Errorf("the policy of %s has %d bytes, S3 takes %d: name fewer roles", b.text, len(text), maxBucketPolicyBytes)
		}
		all[b.text] = p
		if len(options.buckets) == 1 {
			document = p
		}
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	return encoder.Encode(document)
}

func checkFile(name string, o *options, in io.Reader, out io.Writer) error {
	if len(o.buckets) != 1 {
		return errors.New("-check: a policy is about one bucket, want one -bucket-arn")
	}
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err != nil {
		return err
	}
	if len(text) > maxFileBytes {
		return fmt.Errorf("%s: larger than any policy", name)
	}
	p, err := parsePolicy(bytes.TrimSpace(text))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	problems, notes := o.check(p, o.buckets[0])
	for _, line := range append(problems, notes...) {
		fmt.Fprintln(out, line)
	}
	if len(problems) > 0 {
		return errLacking
	}
	fmt.Fprintln(out, "nothing is lacking")
	return nil
}
