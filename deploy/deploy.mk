# What the files under deploy/ are made with. Included by the Makefile.

bin ?= .venv/bin

# For every platform and every Python that pyproject.toml allows. Without the index's address: where
# packages come from is each machine's own affair, and the hashes say whether they are the right ones.
pin = $(bin)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header

locks := requirements.lock requirements-build.lock requirements-dev.lock

.PHONY: lock
lock: ## Pin every dependency anew, with hashes
	@mkdir -p build
	@{ echo '# What ws-monitor needs at run time. Made by `make lock`.'; \
	  $(pin) pyproject.toml; } >build/requirements.lock
	@{ echo '# What building ws-monitor needs. Made by `make lock`.'; \
	  $(bin)/python deploy/build_requirements.py | $(pin) -; } >build/requirements-build.lock
	@{ echo '# What developing ws-monitor needs, on top of the other two. Made by `make lock`.'; \
	  $(pin) pyproject.toml --group dev --constraint build/requirements.lock \
	    --constraint build/requirements-build.lock --no-annotate; } >build/requirements-dev.lock
	@mv $(locks:%=build/%) .

.PHONY: sbom
sbom: ## List what the image contains as CycloneDX: build/sbom.json
	@mkdir -p build
	@PYTHONWARNINGS=ignore $(bin)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --output-file build/sbom.json
	@echo 'build/sbom.json'

# Strict: a package that the source of vulnerabilities does not know is an error, not a success.
.PHONY: audit
audit: ## Compare every lock with the vulnerabilities that are known
	@for lock in $(locks); do echo "$$lock"; \
	  $(bin)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	    --requirement $$lock; done

.PHONY: manifests
manifests: ## Make anew what repeats deploy/prometheus for others
	@$(bin)/python deploy/generate.py
