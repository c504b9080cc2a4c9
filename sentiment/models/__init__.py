"""Networks and tables that give logits."""
