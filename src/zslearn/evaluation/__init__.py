"""How well predictions fit: metrics and the protocol that measures them."""
