package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/siempipe/siempipe/internal/test/harness"
)

// bucketName is the bucket of every configuration.
const bucketName = "bench"

// s3Env are the credentials of the S3 server and of those who use it.
var s3Env = []string{
	"ROOT_ACCESS_KEY=bench", "ROOT_SECRET_KEY=bench-secret", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench-secret",
	"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
}

// bucket is a bucket of a running versitygw, which keeps objects as files.
type bucket struct {
	endpoint string
	dir      string // of the bucket
	server   *exec.Cmd
}

func startBucket(binary, dir string) (*bucket, error) {
	address, err := harness.FreeAddress()
	if err != nil {
		return nil, err
	}
	b := &bucket{endpoint: "http://" + address, dir: filepath.Join(dir, "data", bucketName)}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	// As AWS does, and unless told this server does not, it keeps connections open.
	b.server = exec.Command(binary, "--quiet", "--keep-alive", "--port", address, "posix", filepath.Join(dir, "data"))
	b.server.Env = append(os.Environ(), s3Env...)
	if err := b.server.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if conn, err := net.Dial("tcp", address); err == nil {
			return b, conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("%s does not listen on %s", binary, address)
}

func (b *bucket) stop() {
	_ = b.server.Process.Kill()
	_ = b.server.Wait()
}

// lines counts the lines of all objects, and the objects.
func (b *bucket) lines() (lines, objects int, err error) {
	buf := make([]byte, 1<<20)
	err = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		objects++
		for {
			n, err := f.Read(buf)
			lines += bytes.Count(buf[:n], []byte{'\n'})
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	return lines, objects, err
}
