.PHONY: help setup run test test-slow test-fast lint format generate audit train page screenshots

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'
setup:           ## fill .venv with what serving needs
	@scripts/setup
run:             ## set up, then serve on http://127.0.0.1:8080
	@scripts/run
test:            ## set up, then run every test but the slow ones
	@scripts/test
test-slow:       ## the proofs of minutes: runs killed again and again, training, an image built
	@scripts/test-slow
test-fast:       ## the tests of the domain, the server and `healer predict`, in under a minute
	@scripts/test-fast
lint:            ## format, lint, types and layers, as CI checks them
	@scripts/lint
format:          ## put the code in its format
	@scripts/format
generate:        ## write docs/openapi.json and the configuration table from the code
	@scripts/generate
page:            ## build the page that `/` serves (setup does it too, where Node is)
	@scripts/page
screenshots:     ## every state of the page as a picture in runs/screenshots, and README's two
	@scripts/screenshots
audit:           ## known vulnerabilities and licences of all that Healer brings
	@scripts/audit
train:           ## train the built-in model again (about an hour on two cores)
	@scripts/train
