"""The run itself: controller, workers, bodies, simulator. The only wing that touches cext."""
