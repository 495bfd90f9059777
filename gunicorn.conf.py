# gunicorn reads this by itself: `gunicorn config.wsgi`. WEB_CONCURRENCY says how many processes.

from config.logs import LOGGING

bind = "127.0.0.1:8000"
worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 5
# The site is loaded before anything is bound or forked: a refused start ends gunicorn at once, with its sentence.
preload_app = True
control_socket_disable = True
# Addresses of links are secrets, so gunicorn's own log, and above all its access log, goes through our filter.
logconfig_dict = LOGGING
