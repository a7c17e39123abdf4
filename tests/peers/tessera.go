package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

// measureTessera adds digests to a log in files, through Tessera's own interface and so without the HTTP that its load
// generator would add, until all are integrated. Once as shipped, once with batches as large as the node's.
func measureTessera(ctx context.Context, o options, dir string) (Peer, error) {
	peer := Peer{Name: "Tessera 1.0.4, log in files (POSIX)", Settings: []string{
		"one process, one operator, no consensus; called in process, without HTTP; no antispam; files synced as shipped",
	}}
	// It logs what it looks for and does not find yet as errors.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	shipped, err := integrate(ctx, filepath.Join(dir, "shipped"), o.entries/4, tessera.DefaultBatchMaxSize, tessera.DefaultPushbackMaxOutstanding)
	if err != nil {
		return peer, err
	}
	large, err := integrate(ctx, filepath.Join(dir, "large"), o.entries, 10_000, 40_000)
	if err != nil {
		return peer, err
	}
	peer.Rows = []Row{
		{"tessera/shipped", "digests integrated, batches of 256 as shipped", shipped.rate, "/s"},
		{"tessera/shipped-cpu", "  processor per digest", shipped.microseconds, "us"},
		{"tessera/large", "digests integrated, batches of 10,000", large.rate, "/s"},
		{"tessera/large-cpu", "  processor per digest", large.microseconds, "us"},
	}
	return peer, nil
}

func integrate(ctx context.Context, dir string, count int, batch, outstanding uint) (throughput, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return throughput{}, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return throughput{}, err
	}
	private, _, err := note.GenerateKey(rand.Reader, "bench.example/log")
	if err != nil {
		return throughput{}, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return throughput{}, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(time.Second).
		WithBatching(batch, tessera.DefaultBatchMaxAge).WithPushback(outstanding)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return throughput{}, err
	}
	before, err := processor(os.Getpid())
	if err != nil {
		return throughput{}, err
	}
	begin := time.Now()
	// One short of what it would push back, so that none is refused; the oldest is waited for before another is added.
	futures := make([]tessera.IndexFuture, 0, count)
	for n := range count {
		if waits := n - int(outstanding) + 1; waits >= 0 {
			if _, err := futures[waits](); err != nil {
				return throughput{}, err
			}
		}
		digest := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("bench"), uint64(n)))
		futures = append(futures, appender.Add(ctx, tessera.NewEntry(digest[:])))
	}
	for _, future := range futures {
		if _, err := future(); err != nil {
			return throughput{}, err
		}
	}
	for {
		size, err := reader.IntegratedSize(ctx)
		if err != nil {
			return throughput{}, err
		}
		if size == uint64(count) {
			break
		}
		if size > uint64(count) {
			return throughput{}, fmt.Errorf("%d entries of %d added", size, count)
		}
		time.Sleep(2 * time.Millisecond)
	}
	seconds := time.Since(begin).Seconds()
	after, err := processor(os.Getpid())
	return throughput{float64(count) / seconds, (after - before) * 1e6 / float64(count)}, errors.Join(err, shutdown(ctx))
}
