// Measures, on this machine, what others sell as the same thing: a CometBFT network with its own key-value application,
// with and without signatures on transactions, and Tessera's log in files. `make bench` runs it beside the node and puts
// the two in one table. Nothing here knows the node; the rows are written as JSON in the node's own form.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

type options struct {
	transactions int
	samples      int
	entries      int
	validators   int
	only         string
	dir          string
	json         string
}

// Row is one line of the table. Key names what is measured, so that the node's own row can be put beside it.
type Row struct {
	Key   string  `json:"key"`
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Peer is one system that was measured, and how it was set.
type Peer struct {
	Name     string   `json:"name"`
	Settings []string `json:"settings"`
	Rows     []Row    `json:"rows"`
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "validator" {
		if err := runValidator(os.Args[2], os.Args[3] == "signed"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.transactions, "transactions", 60_000, "transactions of a throughput run")
	flag.IntVar(&o.samples, "samples", 200, "samples of the idle latency run")
	flag.IntVar(&o.entries, "entries", 600_000, "entries of the log's run")
	flag.IntVar(&o.validators, "validators", 4, "CometBFT validators")
	flag.StringVar(&o.only, "only", "", "measure only cometbft, cometbft-signed or tessera")
	flag.StringVar(&o.dir, "dir", "", "where their data lives while they are measured; the disk matters")
	flag.StringVar(&o.json, "json", "", "write the results to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp(o.dir, "citychain-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runs := []struct {
		name string
		run  func() (Peer, error)
	}{
		{"cometbft", func() (Peer, error) { return measureComet(ctx, o, filepath.Join(dir, "plain"), false) }},
		{"cometbft-signed", func() (Peer, error) { return measureComet(ctx, o, filepath.Join(dir, "signed"), true) }},
		{"tessera", func() (Peer, error) { return measureTessera(ctx, o, filepath.Join(dir, "tessera")) }},
	}
	peers := []Peer{}
	for _, r := range runs {
		if o.only != "" && o.only != r.name {
			continue
		}
		peer, err := r.run()
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		peers = append(peers, peer)
		fmt.Println(peer.Name)
		for _, s := range peer.Settings {
			fmt.Println("  " + s)
		}
		for _, row := range peer.Rows {
			fmt.Printf("%-55s %12.2f %s\n", row.What, row.Value, row.Unit)
		}
		fmt.Println()
	}
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(peers, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, text, 0o644)
}
