"""What the queue is measured with: a database server of one's own, and the queues of others."""
