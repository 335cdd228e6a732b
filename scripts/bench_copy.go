// The plainest copy that waits for many files at once: what a program without locks, records and checks needs for the same
// bytes. Files of a tree are copied 64 at a time, with their modes and times. Usage: bench_copy FROM TO
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

const inFlight = 64

func main() {
	from, to := os.Args[1], os.Args[2]
	paths := make(chan string, 1024)
	failures := make(chan error, inFlight)
	var workers sync.WaitGroup
	for range inFlight {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for path := range paths {
				if err := copyFile(filepath.Join(from, path), filepath.Join(to, path)); err != nil {
					select {
					case failures <- err:
					default:
					}
				}
			}
		}()
	}
	err := walk(from, to, paths)
	close(paths)
	workers.Wait()
	close(failures)
	for failure := range failures {
		err = failure
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Lists directories at the same time as well, and makes each before what is in it is sent on.
func walk(from, to string, paths chan<- string) error {
	var walking sync.WaitGroup
	slots := make(chan struct{}, inFlight)
	var first error
	var once sync.Once
	fail := func(err error) { once.Do(func() { first = err }) }
	var visit func(directory string)
	visit = func(directory string) {
		defer walking.Done()
		slots <- struct{}{}
		entries, err := os.ReadDir(filepath.Join(from, directory))
		if err == nil {
			err = os.MkdirAll(filepath.Join(to, directory), 0o755)
		}
		<-slots
		if err != nil {
			fail(err)
			return
		}
		for _, entry := range entries {
			path := filepath.Join(directory, entry.Name())
			if entry.IsDir() {
				walking.Add(1)
				go visit(path)
			} else {
				paths <- path
			}
		}
	}
	walking.Add(1)
	go visit(".")
	walking.Wait()
	return first
}

func copyFile(from, to string) error {
	status, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if status.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, status.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	if err := target.Close(); err != nil {
		return err
	}
	return os.Chtimes(to, status.ModTime(), status.ModTime())
}
