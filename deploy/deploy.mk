# What the files under deploy/ are made with. Included by the Makefile.

bin ?= .venv/bin
uv := build/lock-tools/bin/uv

# For every platform and every Python that pyproject.toml allows. Without the index's address: where
# packages come from is each machine's own affair, and the hashes say whether they are the right ones.
pin = $(uv) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header

.PHONY: lock
lock: $(uv) ## Pin every dependency of the image anew, with hashes
	@{ echo '# What ws-monitor needs at run time. Made by `make lock`.'; \
	  $(pin) pyproject.toml; } >build/requirements.lock
	@{ echo '# What building ws-monitor needs. Made by `make lock`.'; \
	  $(bin)/python deploy/build_requirements.py | $(pin) -; } >build/requirements-build.lock
	@mv build/requirements.lock build/requirements-build.lock .

$(uv):
	@$(bin)/python -m venv build/lock-tools
	@build/lock-tools/bin/pip install -qq 'uv>=0.9'

.PHONY: manifests
manifests: ## Make anew what repeats deploy/prometheus for others
	@$(bin)/python deploy/generate.py
