int zbnative_number(void) { return 7; }
