# A thin front: what happens stands in scripts/.
FEWSTEP := $(or $(CARGO_TARGET_DIR),target)/release/fewstep

.PHONY: help build demo test data clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

build: ## fetch libtorch if there is none yet, and build target/release/fewstep
	@scripts/setup.sh
	cargo build --release --locked

# A measurement that this very program made or began is not made again.
demo: build ## build, then sample and measure with the built-in model
	$(FEWSTEP) generate -m fmnist-edm --seeds 0-63 --solver deis-tab3 --steps 10 -o out/demo --overwrite
	@[ out/demo-bench/report.json -nt $(FEWSTEP) ] || rm -rf out/demo-bench
	$(FEWSTEP) bench -m fmnist-edm --solver ddim,dpmpp-2m,deis-tab3 --nfe 5,10 --samples 500 -o out/demo-bench \
		$$([ ! -e out/demo-bench/report.json ] || echo --resume)
	@echo
	@echo "64 pictures: out/demo/grid.png; quality against network calls: out/demo-bench/report.html"

test: ## run every check
	@scripts/setup.sh
	@scripts/check.sh

data: ## put Fashion-MNIST into data/ (training needs it, sampling and measuring do not)
	@scripts/data.sh

clean: ## remove what was built; downloads (.libtorch, data) and trained models (runs) stay
	cargo clean
	rm -rf out/demo out/demo-bench
