package main

import (
	"context"
	"crypto/sha256"
	"sync"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
)

const envelopeBytes = ed25519.PubKeySize + ed25519.SignatureSize

// signedApplication is the key-value application behind an Ed25519 check of every transaction: key, signature, then the
// `key=value` that the signature covers. As the node it stands beside, each validator checks a signature once, when the
// transaction first arrives, by mempool or by proposal.
type signedApplication struct {
	*kvstore.Application
	mutex   sync.Mutex
	checked map[[32]byte]struct{}
}

func newSignedApplication() *signedApplication {
	return &signedApplication{Application: kvstore.NewInMemoryApplication(), checked: map[[32]byte]struct{}{}}
}

// holds verifies a signature unless it was verified before.
func (a *signedApplication) holds(tx []byte) bool {
	if len(tx) <= envelopeBytes {
		return false
	}
	id := sha256.Sum256(tx)
	a.mutex.Lock()
	_, known := a.checked[id]
	a.mutex.Unlock()
	if known {
		return true
	}
	key := ed25519.PubKey(tx[:ed25519.PubKeySize])
	if !key.VerifySignature(tx[envelopeBytes:], tx[ed25519.PubKeySize:envelopeBytes]) {
		return false
	}
	a.mutex.Lock()
	a.checked[id] = struct{}{}
	a.mutex.Unlock()
	return true
}

func (a *signedApplication) CheckTx(ctx context.Context, req *types.CheckTxRequest) (*types.CheckTxResponse, error) {
	if !a.holds(req.Tx) {
		return &types.CheckTxResponse{Code: kvstore.CodeTypeInvalidTxFormat}, nil
	}
	return a.Application.CheckTx(ctx, &types.CheckTxRequest{Tx: req.Tx[envelopeBytes:], Type: req.Type})
}

// PrepareProposal takes what the mempool gives: all of it went through CheckTx here.
func (*signedApplication) PrepareProposal(_ context.Context, req *types.PrepareProposalRequest) (*types.PrepareProposalResponse, error) {
	return &types.PrepareProposalResponse{Txs: req.Txs}, nil
}

func (a *signedApplication) ProcessProposal(ctx context.Context, req *types.ProcessProposalRequest) (*types.ProcessProposalResponse, error) {
	for _, tx := range req.Txs {
		answer, err := a.CheckTx(ctx, &types.CheckTxRequest{Tx: tx, Type: types.CHECK_TX_TYPE_CHECK})
		if err != nil || answer.Code != kvstore.CodeTypeOK {
			return &types.ProcessProposalResponse{Status: types.PROCESS_PROPOSAL_STATUS_REJECT}, err
		}
	}
	return &types.ProcessProposalResponse{Status: types.PROCESS_PROPOSAL_STATUS_ACCEPT}, nil
}

// FinalizeBlock executes what lies under the signatures. A transaction without a valid one is not executed.
func (a *signedApplication) FinalizeBlock(ctx context.Context, req *types.FinalizeBlockRequest) (*types.FinalizeBlockResponse, error) {
	inner := *req
	inner.Txs = nil
	valid := make([]bool, len(req.Txs))
	for i, tx := range req.Txs {
		valid[i] = a.holds(tx)
		if valid[i] {
			inner.Txs = append(inner.Txs, tx[envelopeBytes:])
		}
	}
	answer, err := a.Application.FinalizeBlock(ctx, &inner)
	if err != nil {
		return nil, err
	}
	executed, results := answer.TxResults, make([]*types.ExecTxResult, len(req.Txs))
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for i, tx := range req.Txs {
		if valid[i] {
			results[i], executed = executed[0], executed[1:]
		} else {
			results[i] = &types.ExecTxResult{Code: kvstore.CodeTypeInvalidTxFormat}
		}
		delete(a.checked, sha256.Sum256(tx))
	}
	answer.TxResults = results
	return answer, nil
}
