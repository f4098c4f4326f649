/* Answers the TA's storage requests from files in storage/. Sees names and ciphertext only. */
#ifndef SZ_STORAGE_SERVER_H
#define SZ_STORAGE_SERVER_H

/* Takes one request from the TA's stream and answers it. 0 when the stream is at its end or broken. */
int sz_storage_serve(int stream);

#endif
