package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// flipper changes one byte of chosen answers on their way in.
type flipper struct {
	prefix string
	at     int
	hits   int
}

func (f *flipper) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil || f.prefix == "" || !strings.HasPrefix(request.URL.Path, f.prefix) {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK && len(body) > 0 {
		body[f.at%len(body)] ^= 1
		f.hits++
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	return response, nil
}

type fetcher struct {
	node   string
	client *http.Client
}

func newFetcher(node string, flip *flipper) *fetcher {
	return &fetcher{node: strings.TrimSuffix(node, "/"), client: &http.Client{Transport: flip, Timeout: 20 * time.Second}}
}

// get fetches one resource and checks the media type, which the standards fix.
func (f *fetcher) get(path, kind string) ([]byte, error) {
	response, err := f.client.Get(f.node + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	if found := response.Header.Get("Content-Type"); found != kind {
		return nil, fmt.Errorf("%s: content type %q, expected %q", path, found, kind)
	}
	return body, nil
}
