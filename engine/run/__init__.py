"""The run: controller, workers, and the protocol between them."""
