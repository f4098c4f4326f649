/* Answers the TA's storage requests from files in storage/. Sees names and ciphertext only. */
#ifndef SZ_STORAGE_SERVER_H
#define SZ_STORAGE_SERVER_H

/* Takes one request of the TA's and answers it. 0 when the connection is at its end or broken. */
int sz_storage_serve(int connection);

#endif
