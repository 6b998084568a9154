package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// profiled is ours with net/http/pprof: a copy of ocb's sources and one more file.
const profiled = "build/bench/siempipe-pprof"

// pprofSource is that file. No Collector component with pprof is part of the build.
const pprofSource = `package main

import (
	"net/http"
	_ "net/http/pprof"
	"os"
)

func init() { go http.ListenAndServe(os.Getenv("BENCH_PPROF"), nil) }
`

// profile writes the functions that cost most in A, C and D, as text.
func (r *runner) profile(ctx context.Context, sh shape, folder string) error {
	if err := r.buildProfiled(); err != nil {
		return err
	}
	for _, c := range comparisons {
		if c.name == "B" {
			continue
		}
		address, err := freeAddress()
		if err != nil {
			return err
		}
		r.env = []string{"BENCH_PPROF=" + address}
		s := c.oursSetup
		s.binary = profiled
		raw := filepath.Join(r.dir, c.name+".pprof")
		fetched := make(chan error, 1)
		f, err := r.run(ctx, s, sh, func(int) { fetched <- fetchProfile(address, raw) })
		if err != nil {
			return err
		}
		if err := <-fetched; err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
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

// profileSeconds is about what 500,000 findings take.
const profileSeconds = 4

func fetchProfile(address, path string) error {
	for range 50 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, profileSeconds))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", resp.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, resp.Body)
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
