package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/fxamacker/cbor/v2"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/veraison/go-cose"
)

const coseType = "application/cose"

type coseKey struct {
	Kty int    `cbor:"1,keyasint"`
	Kid []byte `cbor:"2,keyasint"`
	Crv int    `cbor:"-1,keyasint"`
	X   []byte `cbor:"-2,keyasint"`
}

type inclusion struct {
	_     struct{} `cbor:",toarray"`
	Size  uint64
	Index uint64
	Path  [][]byte
}

// verifyReceipts checks the receipt of a registered statement, and each of the transparent statement's, and that the
// statement stands in the log byte for byte.
func verifyReceipts(f *fetcher, file, origin string, entries [][]byte) (int, error) {
	statement, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(statement)
	id := hex.EncodeToString(sum[:])
	keys, err := scittKeys(f)
	if err != nil {
		return 0, err
	}
	one, err := f.get("/entries/"+id, coseType)
	if err != nil {
		return 0, err
	}
	if err := verifyReceipt(one, statement, origin, keys, entries); err != nil {
		return 0, err
	}
	transparent, err := f.get("/entries/"+id+"/statement", coseType)
	if err != nil {
		return 0, err
	}
	var message cose.Sign1Message
	if err := message.UnmarshalCBOR(transparent); err != nil {
		return 0, fmt.Errorf("transparent statement: %w", err)
	}
	attached, ok := message.Headers.Unprotected[int64(394)].([]any)
	if !ok || len(attached) == 0 {
		return 0, errors.New("the transparent statement has no receipts")
	}
	signers := map[string]bool{}
	for _, receipt := range attached {
		bytes, ok := receipt.([]byte)
		if !ok {
			return 0, errors.New("a receipt is not a byte string")
		}
		if err := verifyReceipt(bytes, statement, origin, keys, entries); err != nil {
			return 0, err
		}
		signers[string(bytes)] = true
	}
	if len(signers)*3 <= len(keys)*2 {
		return 0, fmt.Errorf("receipts of %d of %d validators", len(signers), len(keys))
	}
	return len(signers), nil
}

func scittKeys(f *fetcher) (map[string]ed25519.PublicKey, error) {
	set, err := f.get("/.well-known/scitt-keys", "application/cbor")
	if err != nil {
		return nil, err
	}
	var list []coseKey
	if err := cbor.Unmarshal(set, &list); err != nil {
		return nil, fmt.Errorf("scitt-keys: %w", err)
	}
	keys := map[string]ed25519.PublicKey{}
	for _, key := range list {
		if key.Kty != 1 || key.Crv != 6 || len(key.X) != ed25519.PublicKeySize {
			return nil, errors.New("scitt-keys: a key is not Ed25519")
		}
		thumbprint := sha256.Sum256(append([]byte{0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20}, key.X...))
		if !bytes.Equal(thumbprint[:], key.Kid) {
			return nil, errors.New("scitt-keys: a key id is not the key's thumbprint")
		}
		if _, err := f.get("/.well-known/scitt-keys/"+hex.EncodeToString(key.Kid), "application/cbor"); err != nil {
			return nil, err
		}
		keys[string(key.Kid)] = key.X
	}
	return keys, nil
}

func verifyReceipt(receipt, statement []byte, origin string, keys map[string]ed25519.PublicKey, entries [][]byte) error {
	var message cose.Sign1Message
	if err := message.UnmarshalCBOR(receipt); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	protected := message.Headers.Protected
	if vds, ok := protected[int64(395)].(int64); !ok || vds != 1 {
		return errors.New("receipt: not of RFC9162_SHA256")
	}
	claims, ok := protected[int64(15)].(map[any]any)
	if !ok || claims[int64(1)] != origin {
		return errors.New("receipt: its issuer is not the log")
	}
	kid, ok := protected[int64(4)].([]byte)
	if !ok || keys[string(kid)] == nil {
		return errors.New("receipt: signed by an unknown key")
	}
	proofs, ok := message.Headers.Unprotected[int64(396)].(map[any]any)
	if !ok {
		return errors.New("receipt: no proofs")
	}
	inclusions, ok := proofs[int64(-1)].([]any)
	if !ok || len(inclusions) != 1 {
		return errors.New("receipt: no inclusion proof")
	}
	encoded, ok := inclusions[0].([]byte)
	if !ok {
		return errors.New("receipt: the inclusion proof is not a byte string")
	}
	var found inclusion
	if err := cbor.Unmarshal(encoded, &found); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(statement)
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, found.Index, found.Size, leaf, found.Path)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if message.Payload != nil {
		return errors.New("receipt: its payload is not detached")
	}
	message.Payload = root
	verifier, err := cose.NewVerifier(cose.AlgorithmEdDSA, keys[string(kid)])
	if err != nil {
		return err
	}
	if err := message.Verify(nil, verifier); err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if found.Index < uint64(len(entries)) && !bytes.Equal(entries[found.Index], statement) {
		return errors.New("receipt: the log holds other bytes than the statement")
	}
	return nil
}
