"""The engine: lease, orders in, the gate that joins the rooms, adoption, events out."""
