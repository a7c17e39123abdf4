package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const text = "text/plain; charset=utf-8"

func verify(ctx context.Context, o options) (*summary, error) {
	flip := &flipper{prefix: o.flip, at: o.flipAt}
	f := newFetcher(o.node, flip)
	found := &summary{}
	signed, err := f.get("/checkpoint", text)
	if err != nil {
		return nil, err
	}
	policy, policyText, err := fetchPolicy(f, signed, o.all)
	if err != nil {
		return nil, err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	found.Size = checkpoint.N
	if found.Cosigners, err = countCosigners(signed, checkpoint, policyText, o.all); err != nil {
		return nil, err
	}
	tiles, err := torchwood.NewTileFetcher(f.node, torchwood.WithHTTPClient(f.client))
	if err != nil {
		return nil, err
	}
	entries, err := allEntries(ctx, tiles, checkpoint)
	if err != nil {
		return nil, err
	}
	found.Entries = len(entries)
	if found.Proofs, err = verifyProofs(f, policy, entries); err != nil {
		return nil, err
	}
	if o.old != "" {
		if err := consistent(ctx, o.old, tiles, checkpoint); err != nil {
			return nil, err
		}
		found.Consistent = true
	}
	if o.statement != "" {
		if found.Receipts, err = verifyReceipts(f, o.statement, checkpoint.Origin, entries); err != nil {
			return nil, err
		}
	}
	if o.flip != "" && flip.hits == 0 {
		fmt.Fprintln(os.Stderr, "nothing was fetched from", o.flip)
		os.Exit(2)
	}
	if o.save != "" {
		if err := os.WriteFile(o.save, []byte(checkpoint.String()), 0o644); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// fetchPolicy reads the chain's policy. This library takes several log keys as all required, where the standard takes
// any of them; unless every log signed, it is asked about the one that did.
func fetchPolicy(f *fetcher, signed []byte, all bool) (torchwood.Policy, string, error) {
	whole, err := f.get("/policy", text)
	if err != nil {
		return nil, "", err
	}
	ours := whole
	if !all {
		id, err := logKeyID(signed)
		if err != nil {
			return nil, "", err
		}
		if ours, err = f.get("/policy?log="+id, text); err != nil {
			return nil, "", err
		}
	}
	policy, err := torchwood.ParsePolicy(ours)
	return policy, string(whole), err
}

// logKeyID is the key id of the first signature under the log's own name.
func logKeyID(signed []byte) (string, error) {
	origin, _, _ := strings.Cut(string(signed), "\n")
	n, err := note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if err == nil || !errors.As(err, &unverified) {
		return "", fmt.Errorf("the checkpoint is not a note: %v", err)
	}
	n = unverified.Note
	for _, s := range n.UnverifiedSigs {
		if s.Name == origin {
			id := []byte{byte(s.Hash >> 24), byte(s.Hash >> 16), byte(s.Hash >> 8), byte(s.Hash)}
			return hex.EncodeToString(id), nil
		}
	}
	return "", errors.New("no signature of the log itself")
}

// countCosigners checks every cosignature again with another library, and that more than two thirds are there.
func countCosigners(signed []byte, checkpoint torchwood.Checkpoint, policy string, all bool) (int, error) {
	var witnesses []note.Verifier
	var logs []note.Verifier
	for _, line := range strings.Split(policy, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 3 && fields[0] == "witness":
			v, err := fnote.NewVerifierForCosignatureV1(fields[2])
			if err != nil {
				return 0, fmt.Errorf("policy: %w", err)
			}
			witnesses = append(witnesses, v)
		case len(fields) == 2 && fields[0] == "log":
			v, err := note.NewVerifier(fields[1])
			if err != nil {
				return 0, fmt.Errorf("policy: %w", err)
			}
			logs = append(logs, v)
		}
	}
	opened, err := note.Open(signed, note.VerifierList(witnesses...))
	if err != nil {
		return 0, fmt.Errorf("cosignatures: %w", err)
	}
	if len(opened.Sigs)*3 <= len(witnesses)*2 {
		return 0, fmt.Errorf("%d of %d cosigned", len(opened.Sigs), len(witnesses))
	}
	if all && len(opened.Sigs) != len(witnesses) {
		return 0, fmt.Errorf("%d of %d cosigned, all were asked for", len(opened.Sigs), len(witnesses))
	}
	for _, v := range logs {
		parsed, _, _, err := log.ParseCheckpoint(signed, checkpoint.Origin, v)
		if err != nil {
			continue
		}
		if parsed.Size != uint64(checkpoint.N) || !bytes.Equal(parsed.Hash, checkpoint.Hash[:]) {
			return 0, errors.New("two libraries read different checkpoints")
		}
		return len(opened.Sigs), nil
	}
	return 0, errors.New("no log key of the policy signed the checkpoint")
}

// allEntries fetches every entry with its proof, and builds the tree again with another library.
func allEntries(ctx context.Context, tiles *torchwood.TileFetcher, checkpoint torchwood.Checkpoint) ([][]byte, error) {
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tree := factory.NewEmptyRange(0)
	for index, entry := range client.AllEntries(ctx, checkpoint.Tree, 0) {
		if index != int64(len(entries)) {
			return nil, fmt.Errorf("entry %d came where %d was expected", index, len(entries))
		}
		entries = append(entries, bytes.Clone(entry))
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(entry), nil); err != nil {
			return nil, err
		}
	}
	if err := client.Err(); err != nil {
		return nil, fmt.Errorf("entries: %w", err)
	}
	if int64(len(entries)) != checkpoint.N {
		return nil, fmt.Errorf("%d entries of %d", len(entries), checkpoint.N)
	}
	root, err := tree.GetRootHash(nil)
	if err != nil {
		return nil, err
	}
	if checkpoint.N > 0 && !bytes.Equal(root, checkpoint.Hash[:]) {
		return nil, errors.New("the entries do not give the checkpoint's root")
	}
	return entries, nil
}

// verifyProofs asks for the portable proof of every entry, or of some where there are many.
func verifyProofs(f *fetcher, policy torchwood.Policy, entries [][]byte) (int, error) {
	checked := 0
	step := len(entries)/200 + 1
	for index := 0; index < len(entries); index += step {
		p, err := f.get(fmt.Sprintf("/proof/%d", index), text)
		if err != nil {
			return 0, err
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(entries[index]), p); err != nil {
			return 0, fmt.Errorf("proof of entry %d: %w", index, err)
		}
		other := tlog.RecordHash(append([]byte("another "), entries[index]...))
		if err := torchwood.VerifyProof(policy, other, p); err == nil {
			return 0, fmt.Errorf("the proof of entry %d proves another entry too", index)
		}
		checked++
	}
	return checked, nil
}

// consistent checks that the log only grew since an older checkpoint, with two libraries.
func consistent(ctx context.Context, file string, tiles *torchwood.TileFetcher, now torchwood.Checkpoint) error {
	saved, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	old, err := torchwood.ParseCheckpoint(string(saved))
	if err != nil {
		return err
	}
	if old.Origin != now.Origin || old.N >= now.N {
		return fmt.Errorf("the log did not grow: %d entries, then %d", old.N, now.N)
	}
	if old.N == 0 {
		return nil
	}
	path, err := tlog.ProveTree(now.N, old.N, torchwood.TileHashReaderWithContext(ctx, now.Tree, tiles))
	if err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	if err := tlog.CheckTree(path, now.N, now.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	var hashes [][]byte
	for _, h := range path {
		hashes = append(hashes, h[:])
	}
	hasher := rfc6962.DefaultHasher
	return proof.VerifyConsistency(hasher, uint64(old.N), uint64(now.N), hashes, old.Hash[:], now.Hash[:])
}
