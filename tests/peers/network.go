package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"
)

// Printed beside the numbers: what differs from the configuration that CometBFT writes, each in its favour.
var cometSettings = []string{
	"key-value application in process and in memory, one lock a connection; store (pebble) and write-ahead log as shipped",
	"timeout_commit 0, no empty blocks, gossip sleep 100 -> 5 ms, flush throttle 10 -> 2 ms, send and receive rate 50 MB/s",
	"mempool 5,000 -> 100,000 transactions and no recheck, transaction index off, blocks to 4 MB as shipped",
}

// Loopback addresses of the validators, apart from those of the node's own bench.
func address(n int) string { return fmt.Sprintf("127.94.1.%d", n+1) }

func rpc(n int) string { return "http://" + address(n) + ":26657" }

func home(dir string, n int) string { return filepath.Join(dir, "validator-"+strconv.Itoa(n+1)) }

// settings of validator n, whose peers are all the others.
func settings(dir string, n int, peers []string) *config.Config {
	c := config.DefaultConfig()
	c.SetRoot(home(dir, n))
	c.LogLevel = "error"
	c.P2P.ListenAddress = "tcp://" + address(n) + ":26656"
	c.P2P.ExternalAddress = "tcp://" + address(n) + ":26656"
	c.P2P.PersistentPeers = strings.Join(peers, ",")
	c.P2P.AddrBookStrict = false
	c.P2P.AllowDuplicateIP = true
	c.P2P.PexReactor = false
	c.P2P.FlushThrottleTimeout = 2 * time.Millisecond
	c.P2P.SendRate, c.P2P.RecvRate = 50_000_000, 50_000_000
	c.RPC.ListenAddress = "tcp://" + address(n) + ":26657"
	c.RPC.MaxRequestBatchSize = 1_000
	c.RPC.MaxBodyBytes = 8_000_000
	c.RPC.PprofListenAddress = ""
	c.Mempool.Size, c.Mempool.CacheSize = 100_000, 200_000
	c.Mempool.Recheck = false
	c.Consensus.TimeoutCommit = 0
	c.Consensus.CreateEmptyBlocks = false
	c.Consensus.PeerGossipSleepDuration = 5 * time.Millisecond
	c.TxIndex.Indexer = "null"
	return c
}

// prepare writes keys, genesis and configuration of every validator.
func prepare(dir string, count int) error {
	genesis := types.GenesisDoc{
		ChainID: "bench", ConsensusParams: types.DefaultConsensusParams(), GenesisTime: time.Now(), InitialHeight: 1,
	}
	peers := make([]string, count)
	for n := range count {
		c := settings(dir, n, nil)
		config.EnsureRoot(c.RootDir)
		validator, err := privval.GenFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile(), nil)
		if err != nil {
			return err
		}
		validator.Save()
		key, err := p2p.LoadOrGenNodeKey(c.NodeKeyFile())
		if err != nil {
			return err
		}
		public, err := validator.GetPubKey()
		if err != nil {
			return err
		}
		peers[n] = p2p.IDAddressString(key.ID(), address(n)+":26656")
		genesis.Validators = append(genesis.Validators, types.GenesisValidator{PubKey: public, Power: 1})
	}
	for n := range count {
		c := settings(dir, n, append(append([]string{}, peers[:n]...), peers[n+1:]...))
		if err := genesis.SaveAs(c.GenesisFile()); err != nil {
			return err
		}
		config.WriteConfigFile(filepath.Join(c.RootDir, "config", "config.toml"), c)
		if err := os.WriteFile(filepath.Join(c.RootDir, "peers"), []byte(c.P2P.PersistentPeers), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// runValidator is the child process: one validator until it is asked to end.
func runValidator(root string, signed bool) error {
	n, err := strconv.Atoi(root[strings.LastIndexByte(root, '-')+1:])
	if err != nil {
		return err
	}
	peers, err := os.ReadFile(filepath.Join(root, "peers"))
	if err != nil {
		return err
	}
	c := settings(filepath.Dir(root), n-1, []string{string(peers)})
	key, err := p2p.LoadNodeKey(c.NodeKeyFile())
	if err != nil {
		return err
	}
	var application abci.Application = kvstore.NewInMemoryApplication()
	if signed {
		application = newSignedApplication()
	}
	logger := log.NewFilter(log.NewTMLogger(log.NewSyncWriter(os.Stderr)), log.AllowError())
	validator, err := node.NewNode(
		context.Background(), c, privval.LoadFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile()), key,
		proxy.NewConnSyncLocalClientCreator(application), node.DefaultGenesisDocProviderFunc(c), config.DefaultDBProvider,
		node.DefaultMetricsProvider(c.Instrumentation), logger,
	)
	if err != nil {
		return err
	}
	if err := validator.Start(); err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	<-asked
	return validator.Stop()
}

// network is the validators' processes.
type network struct {
	processes []*exec.Cmd
}

func start(dir string, count int, signed bool) (*network, error) {
	if err := prepare(dir, count); err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	kind := "plain"
	if signed {
		kind = "signed"
	}
	net := &network{}
	for n := range count {
		output, err := os.Create(filepath.Join(home(dir, n), "log.txt"))
		if err != nil {
			return net, err
		}
		child := exec.Command(program, "validator", home(dir, n), kind)
		child.Stderr = output
		// A bench that is killed must not leave validators behind.
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := child.Start(); err != nil {
			return net, err
		}
		_ = output.Close()
		net.processes = append(net.processes, child)
	}
	return net, nil
}

func (n *network) stop() {
	for _, p := range n.processes {
		_ = p.Process.Kill()
	}
	for _, p := range n.processes {
		_ = p.Wait()
	}
}

// processor time of all validators so far, in seconds.
func (n *network) processor() (float64, error) {
	total := 0.0
	for _, p := range n.processes {
		seconds, err := processor(p.Process.Pid)
		if err != nil {
			return 0, err
		}
		total += seconds
	}
	return total, nil
}

func processor(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, err
}
