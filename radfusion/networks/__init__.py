"""Pretrained networks: where weights come from, how they are loaded, what they compute. torch lives only here."""
