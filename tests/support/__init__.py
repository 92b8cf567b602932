"""What tests are made with: shops to break, crowds, ledgers, and the machines that try everything."""
