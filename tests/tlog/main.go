// Verifies a chain's log with libraries that nobody here wrote: fetches checkpoint, policy, tiles, entries and proofs from
// a running node and believes nothing that these libraries do not. Exits 1 with the reason at the first thing that fails.
//
// -flip PATH changes one byte of every answer whose path starts with PATH before any check sees it: a run with it must
// fail, or the checks would check nothing.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

type options struct {
	node      string
	save      string
	old       string
	statement string
	all       bool
	flip      string
	flipAt    int
}

type summary struct {
	Size       int64 `json:"size"`
	Entries    int   `json:"entries"`
	Proofs     int   `json:"proofs"`
	Cosigners  int   `json:"cosigners"`
	Consistent bool  `json:"consistent_with_old"`
	Receipts   int   `json:"receipts"`
}

func main() {
	var o options
	flag.StringVar(&o.node, "node", "", "address of the node's API, such as http://127.80.1.1:8080")
	flag.StringVar(&o.save, "save", "", "write the verified checkpoint to this file")
	flag.StringVar(&o.old, "old", "", "a checkpoint saved before, with which this one must be consistent")
	flag.StringVar(&o.statement, "statement", "", "a registered statement, whose receipts must verify")
	flag.BoolVar(&o.all, "all", false, "every validator of the policy must have signed, not only a quorum")
	flag.StringVar(&o.flip, "flip", "", "change a byte of answers whose path starts with this")
	flag.IntVar(&o.flipAt, "flip-at", 0, "which byte, counted around the end of the answer")
	flag.Parse()
	found, err := verify(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(found)
}
