# gunicorn reads this by itself: `gunicorn config.wsgi`. WEB_CONCURRENCY says how many processes.

bind = "127.0.0.1:8000"
worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 5
# The site is loaded before anything is bound or forked: a refused start ends gunicorn at once, with its sentence.
preload_app = True
control_socket_disable = True
