"""The receiver of webhooks: it serves; `pluginyard/webhooks/` judges a delivery."""
