package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Requests under way at a time, and transactions of a request in the second run: as in the node's own bench.
	inFlight  = 192
	inRequest = 100
	// Bytes of a transaction, about those of the node's signed transaction that writes one record.
	txBytes = 300
	senders = 64
	// Requests or samples without an answer that are put up with.
	maxUnanswered = 20
)

func measureComet(ctx context.Context, o options, dir string, signed bool) (Peer, error) {
	peer := Peer{Name: "CometBFT 1.0.1, " + strconv.Itoa(o.validators) + " validators, kvstore", Settings: cometSettings}
	key := "cometbft"
	if signed {
		peer.Name += ", Ed25519 on each transaction, checked once by each validator"
		key = "cometbft-signed"
	}
	net, err := start(dir, o.validators, signed)
	if net != nil {
		defer net.stop()
	}
	if err != nil {
		return peer, err
	}
	c := &client{http: &http.Client{
		Timeout:   60 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight},
	}, count: o.validators, signed: signed}
	c.makeKeys()
	if err := c.waitReady(ctx); err != nil {
		return peer, fmt.Errorf("%w; see %s", err, dir)
	}
	p50, p99, err := c.idleLatency(ctx, o.samples)
	if err != nil {
		return peer, err
	}
	peer.Rows = append(peer.Rows,
		Row{key + "/idle-p50", "idle chain, submit to committed, p50", p50, "ms"},
		Row{key + "/idle-p99", "idle chain, submit to committed, p99", p99, "ms"})
	single, err := c.run(ctx, net, o.transactions/2, 1)
	if err != nil {
		return peer, err
	}
	many, err := c.run(ctx, net, o.transactions, inRequest)
	if err != nil {
		return peer, err
	}
	peer.Rows = append(peer.Rows,
		Row{key + "/single", "transactions, one a request, committed", single.rate, "/s"},
		Row{key + "/single-cpu", "  processor per transaction and validator", single.microseconds, "us"},
		Row{key + "/batched", "transactions, 100 a request, committed", many.rate, "/s"},
		Row{key + "/batched-cpu", "  processor per transaction and validator", many.microseconds, "us"})
	return peer, nil
}

type client struct {
	http   *http.Client
	count  int
	signed bool
	keys   []ed25519.PrivateKey
	made   int
}

type throughput struct {
	rate float64
	// Processor time of one validator for one transaction.
	microseconds float64
}

func (c *client) makeKeys() {
	for n := range senders {
		seed := make([]byte, ed25519.SeedSize)
		seed[0], seed[1] = byte(n), 0x5a
		c.keys = append(c.keys, ed25519.NewKeyFromSeed(seed))
	}
}

// transaction makes one that was not made before.
func (c *client) transaction() []byte {
	c.made++
	body := fmt.Appendf(nil, "record-%012d=", c.made)
	size := txBytes
	if c.signed {
		size -= envelopeBytes
	}
	body = append(body, bytes.Repeat([]byte("v"), size-len(body))...)
	if !c.signed {
		return body
	}
	key := c.keys[c.made%senders]
	public := key.Public().(ed25519.PublicKey)
	return slices.Concat(public, ed25519.Sign(key, body), body)
}

type answer struct {
	Result struct {
		Code uint32 `json:"code"`
	} `json:"result"`
	Error *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error"`
}

func request(method string, tx string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"tx":"` + tx + `"}}`
}

func (c *client) post(ctx context.Context, n int, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, rpc(n%c.count), strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("content-type", "application/json")
	return c.do(req, into)
}

func (c *client) get(ctx context.Context, n int, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rpc(n%c.count)+path, nil)
	if err != nil {
		return err
	}
	return c.do(req, into)
}

func (c *client) do(req *http.Request, into any) error {
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("a validator answered %s: %.200s", res.Status, text)
	}
	return nil
}

type status struct {
	Result struct {
		SyncInfo struct {
			Height string `json:"latest_block_height"`
		} `json:"sync_info"`
	} `json:"result"`
}

func (c *client) height(ctx context.Context, n int) (int64, error) {
	var s status
	if err := c.get(ctx, n, "/status", &s); err != nil {
		return 0, err
	}
	return strconv.ParseInt(s.Result.SyncInfo.Height, 10, 64)
}

// waitReady waits until every validator has the first block, which needs most of them connected.
func (c *client) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for n := range c.count {
		for {
			if height, err := c.height(ctx, n); err == nil && height >= 1 {
				break
			}
			select {
			case <-ctx.Done():
				return errors.New("the validators made no block within a minute")
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func (c *client) idleLatency(ctx context.Context, samples int) (float64, float64, error) {
	times, unanswered := make([]float64, 0, samples), 0
	for n := 0; len(times) < samples; n++ {
		tx := base64.StdEncoding.EncodeToString(c.transaction())
		begin := time.Now()
		var a struct {
			Result struct {
				CheckTx struct {
					Code uint32 `json:"code"`
				} `json:"check_tx"`
				TxResult struct {
					Code uint32 `json:"code"`
				} `json:"tx_result"`
				Height string `json:"height"`
			} `json:"result"`
			Error json.RawMessage `json:"error"`
		}
		if err := c.post(ctx, n, request("broadcast_tx_commit", tx), &a); err != nil {
			if unanswered++; unanswered == maxUnanswered {
				return 0, 0, err
			}
			continue
		}
		if a.Error != nil || a.Result.CheckTx.Code != 0 || a.Result.TxResult.Code != 0 || a.Result.Height == "0" {
			return 0, 0, fmt.Errorf("a sample was not committed: %s", a.Error)
		}
		times = append(times, float64(time.Since(begin).Microseconds())/1e3)
		time.Sleep(60 * time.Millisecond)
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100], nil
}

// run sends count transactions, so many in a request, and stops the clock when no validator has any left; then every one
// of them must be in a block.
func (c *client) run(ctx context.Context, net *network, count, in int) (throughput, error) {
	sent := make(map[string]struct{}, count)
	chunks := [][]string{}
	for range count {
		tx := base64.StdEncoding.EncodeToString(c.transaction())
		sent[tx] = struct{}{}
		if len(chunks) == 0 || len(chunks[len(chunks)-1]) == in {
			chunks = append(chunks, nil)
		}
		chunks[len(chunks)-1] = append(chunks[len(chunks)-1], tx)
	}
	from, err := c.height(ctx, 0)
	if err != nil {
		return throughput{}, err
	}
	before, err := net.processor()
	if err != nil {
		return throughput{}, err
	}
	begin := time.Now()
	if err := c.sendAll(ctx, chunks, max(inFlight/in, 2*c.count)); err != nil {
		return throughput{}, err
	}
	if err := c.drained(ctx); err != nil {
		return throughput{}, err
	}
	seconds := time.Since(begin).Seconds()
	after, err := net.processor()
	if err != nil {
		return throughput{}, err
	}
	if err := c.remove(ctx, from, sent); err != nil {
		return throughput{}, err
	}
	if len(sent) > 0 {
		return throughput{}, fmt.Errorf("%d of %d transactions are in no block", len(sent), count)
	}
	return throughput{float64(count) / seconds, (after - before) * 1e6 / float64(count*c.count)}, nil
}

func (c *client) sendAll(ctx context.Context, chunks [][]string, workers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	places := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for place := range places {
				if err := c.send(ctx, place, chunks[place]); err != nil {
					cancel(err)
				}
			}
		})
	}
	for place := range chunks {
		places <- place
	}
	close(places)
	group.Wait()
	return context.Cause(ctx)
}

// send repeats what found no room until it does. A validator that is slow ends requests without an answer after ten
// seconds; the same transactions again are safe, those that arrived are known.
func (c *client) send(ctx context.Context, n int, txs []string) error {
	unanswered := 0
	for ctx.Err() == nil {
		answers := make([]answer, 1)
		var err error
		if len(txs) == 1 {
			err = c.post(ctx, n, request("broadcast_tx_sync", txs[0]), &answers[0])
		} else {
			requests := make([]string, len(txs))
			for i, tx := range txs {
				requests[i] = request("broadcast_tx_sync", tx)
			}
			err = c.post(ctx, n, "["+strings.Join(requests, ",")+"]", &answers)
		}
		if err != nil {
			if unanswered++; unanswered == maxUnanswered {
				return err
			}
			continue
		}
		if len(answers) != len(txs) {
			return fmt.Errorf("%d answers to %d transactions", len(answers), len(txs))
		}
		again := []string{}
		for i, a := range answers {
			switch {
			case a.Error != nil && strings.Contains(a.Error.Data, "mempool is full"):
				again = append(again, txs[i])
			case a.Error != nil && strings.Contains(a.Error.Data, "already exists"):
			case a.Error != nil:
				return fmt.Errorf("refused: %s %s", a.Error.Message, a.Error.Data)
			case a.Result.Code != 0:
				return fmt.Errorf("refused with code %d", a.Result.Code)
			}
		}
		if len(again) == 0 {
			return nil
		}
		txs = again
		time.Sleep(50 * time.Millisecond)
	}
	return ctx.Err()
}

// drained waits until no validator has a transaction that waits for a block.
func (c *client) drained(ctx context.Context) error {
	for n := range c.count {
		for {
			var a struct {
				Result struct {
					Total string `json:"total"`
				} `json:"result"`
			}
			if err := c.get(ctx, n, "/num_unconfirmed_txs", &a); err != nil {
				return err
			}
			if a.Result.Total == "0" {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

// remove takes out of `sent` what the blocks above a height hold.
func (c *client) remove(ctx context.Context, from int64, sent map[string]struct{}) error {
	to, err := c.height(ctx, 0)
	if err != nil {
		return err
	}
	for height := from + 1; height <= to; height++ {
		var b struct {
			Result struct {
				Block struct {
					Data struct {
						Txs []string `json:"txs"`
					} `json:"data"`
				} `json:"block"`
			} `json:"result"`
		}
		if err := c.get(ctx, 0, "/block?height="+strconv.FormatInt(height, 10), &b); err != nil {
			return err
		}
		for _, tx := range b.Result.Block.Data.Txs {
			delete(sent, tx)
		}
	}
	return nil
}
