package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/siempipe/siempipe/internal/test/harness"
)

// profiled is ours with net/http/pprof: a copy of ocb's sources and one more file.
const profiled = "build/bench/siempipe-pprof"

// pprofSource is that file: the profile begins with a request to /begin and is the answer of /end. No Collector component
// that profiles is part of the build.
const pprofSource = `package main

import (
	"bytes"
	"net/http"
	"os"
	"runtime/pprof"
)

func init() {
	var profile bytes.Buffer
	http.HandleFunc("/begin", func(http.ResponseWriter, *http.Request) { pprof.StartCPUProfile(&profile) })
	http.HandleFunc("/end", func(w http.ResponseWriter, _ *http.Request) {
		pprof.StopCPUProfile()
		w.Write(profile.Bytes())
	})
	go http.ListenAndServe(os.Getenv("BENCH_PPROF"), nil)
}
`

// profile writes the functions that cost most in A, C and D, as text.
func (r *runner) profile(ctx context.Context, sh shape, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := r.buildProfiled(); err != nil {
		return err
	}
	for _, c := range comparisons {
		if c.name == "B" {
			continue
		}
		address, err := harness.FreeAddress()
		if err != nil {
			return err
		}
		r.env = []string{"BENCH_PPROF=" + address}
		s := c.oursSetup
		s.binary = profiled
		raw := filepath.Join(r.dir, c.name+".pprof")
		f, err := r.run(ctx, s, sh, &measureHooks{
			open: func() error { return get("http://"+address+"/begin", io.Discard) },
			close: func() error {
				out, err := os.Create(raw)
				if err != nil {
					return err
				}
				return errors.Join(get("http://"+address+"/end", out), out.Close())
			},
		})
		if err != nil {
			return err
		}
		top := exec.Command("go", "tool", "pprof", "-top", "-nodecount=45", filepath.Join(r.root, profiled), raw)
		text, err := top.Output()
		if err != nil {
			return fmt.Errorf("pprof: %w", err)
		}
		path := filepath.Join(folder, c.name+".txt")
		head := fmt.Sprintf("Case %s: %s\n%s, %.2f CPU-s per million\n\n", c.name, c.ours, sh, f.cpuPerMillion())
		if err := os.WriteFile(path, append([]byte(head), text...), 0o644); err != nil {
			return err
		}
		fmt.Println("wrote", path)
	}
	return nil
}

func get(url string, to io.Writer) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	_, err = io.Copy(to, resp.Body)
	return err
}

func (r *runner) buildProfiled() error {
	from, to := filepath.Join(r.root, "build/ocb"), filepath.Join(r.root, "build/ocb-pprof")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "pprof.go"), []byte(pprofSource), 0o644); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-mod=mod", "-trimpath", "-o", filepath.Join(r.root, profiled), ".")
	build.Dir = to
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", profiled, err, out)
	}
	return nil
}
