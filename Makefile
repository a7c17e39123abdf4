# Every step of CI is one of these targets; each is a script in .make/ that can be read on its own.

SHELL := /bin/bash
XDG_CACHE_HOME ?= $(HOME)/.cache
export CARGO_TARGET_DIR ?= $(XDG_CACHE_HOME)/citychain/target

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop demo-reset test test-log test-without-template e2e scale images torture bench lint generate
# `make lint test` is one after the other: both build in one folder.
.NOTPARALLEL:

help:
	@.make/help

setup:
	@.make/setup test

demo:
	@.make/demo

demo-stop:
	@.make/demo-stop

demo-reset:
	@.make/demo-reset

test:
	@.make/test

test-log:
	@.make/test-log

test-without-template:
	@.make/test-without-template

e2e:
	@.make/e2e

scale:
	@.make/scale

images:
	@.make/images

bench:
	@.make/bench

# Every .make/torture-* in turn; hours, not minutes.
torture:
	@for part in .make/torture-*; do $$part || exit 1; done

lint:
	@.make/lint

generate:
	@.make/generate
