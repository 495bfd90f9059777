# Each target makes what it needs: .venv with pinned packages, and for `run` a .env with fresh keys.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test bench faults faults-short check lock install install-dev

run: install
	@$(BIN)/python -m config.make_env
	@exec $(BIN)/python -m config.launcher

test: install-dev
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

bench: install-dev
	@$(BIN)/python -m benchmarks $(BENCH)

faults: install-dev
	@$(BIN)/python -m faults

faults-short: install-dev
	@$(BIN)/python -m faults --short

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy config staff tenants oauth monitoring sandbox faults manage.py
	find templates -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +
	@echo "makemigrations --check, check --deploy"
	@$(production) $(BIN)/python manage.py makemigrations --check --dry-run
	@$(production) $(BIN)/python manage.py check --deploy --fail-level WARNING

# A site as it would be set up for real; whatever else a .env here says does not count.
fernet = from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())
production = env DEBUG=False REDIS_URL= DATABASE_URL=sqlite://:memory: EXTRA_CLOUDS=[] \
	SITE_URL=https://tenantry.example.com ALLOWED_HOSTS=tenantry.example.com \
	SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	FIELD_ENCRYPTION_KEYS="$$($(BIN)/python -c '$(fernet)')"

lock: install-dev
	@for name in requirements requirements-sandbox requirements-dev; do \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-header --no-annotate "$$name.in" --output-file "$$name.txt" || exit 1; \
	done

install:
	@$(PYTHON) config/bootstrap.py

install-dev:
	@$(PYTHON) config/bootstrap.py --dev
