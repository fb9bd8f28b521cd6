"""Six secrets that every test uses. None of them may ever be seen in a log, a metric or an error."""
POOL_PASSWORD = "canary-pool-4f1d9b72c3"
OTHER_POOL_PASSWORD = "canary-other-a83e5510d7"
WEB_TOKEN = "canary-token-66c0f2be91"
DATABASE_PASSWORD = "canary-database-1b7e94af08"
MINER_PASSWORD = "canary-miner-d2375ce6b4"
REFUSED_PASSWORD = "canary-refused-90ab18fe3d"

ALL = (POOL_PASSWORD, OTHER_POOL_PASSWORD, WEB_TOKEN, DATABASE_PASSWORD, MINER_PASSWORD, REFUSED_PASSWORD)


def found_in(text):
    return [secret for secret in ALL if secret in text]
