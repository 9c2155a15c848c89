// The tables of the store, and how older ones become today's. Refuses: tables that a newer madang has made.
#pragma once
#include "serve/store/database.h"

namespace madang {

/// Makes what is not there.
void prepare_schema(Database& database);

}  // namespace madang
