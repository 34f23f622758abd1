"""What one module computes, beside what it should: functions, norms, geometry, rotations, and how to exchange them."""
