#include <kvlight.h>
