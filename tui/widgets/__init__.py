"""Line-API table, meter, key footer: drawn line by line, repainted only where they changed."""
